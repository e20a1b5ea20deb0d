// SPDX-License-Identifier: Apache-2.0
// A chart with its title, controls, exports, data table and keyboard access.
import * as echarts from 'echarts/core';
import {BarChart, CustomChart, HeatmapChart, LineChart, ParallelChart, ScatterChart} from 'echarts/charts';
import {AriaComponent, BrushComponent, DataZoomComponent, GridComponent, LegendComponent, MarkLineComponent, ParallelComponent,
  TooltipComponent, VisualMapComponent} from 'echarts/components';
import {CanvasRenderer, SVGRenderer} from 'echarts/renderers';
import {announce, csv, download, h, table} from './dom.js';

echarts.use([BarChart, CustomChart, HeatmapChart, LineChart, ParallelChart, ScatterChart, AriaComponent, BrushComponent,
  DataZoomComponent, GridComponent, LegendComponent, MarkLineComponent, ParallelComponent, TooltipComponent, VisualMapComponent,
  CanvasRenderer, SVGRenderer]);

export const cards = [];
const queue = [];
let patterns = false;

/** Colours of the page's theme, as the style sheet has them. */
export function theme_of(element = document.documentElement) {
  const style = getComputedStyle(element);
  const color = (name) => style.getPropertyValue(name).trim();
  return {dark: color('--scheme') === 'dark', text: color('--text'), muted: color('--muted'), line: color('--line'),
    panel: color('--panel'), font: style.fontFamily || 'sans-serif'};
}

/** What every chart shares: fonts, tooltip box, axes, animation off for readers who ask for calm. */
function dressed(option, t) {
  const axis = (a) => ({
    ...a,
    axisLine: {lineStyle: {color: t.line}, ...a.axisLine}, axisTick: {lineStyle: {color: t.line}, ...a.axisTick},
    axisLabel: {color: t.muted, ...a.axisLabel}, nameTextStyle: {color: t.muted, ...a.nameTextStyle},
    splitLine: {lineStyle: {color: t.line, opacity: 0.6}, ...a.splitLine},
  });
  const each = (x, f) => (x === undefined ? undefined : Array.isArray(x) ? x.map(f) : f(x));
  const legend = (l) => ({type: 'scroll', left: 0, top: 0, textStyle: {color: t.text}, inactiveColor: t.line, pageTextStyle: {color: t.muted},
    pageIconColor: t.text, pageIconInactiveColor: t.line, itemWidth: 14, itemHeight: 10, ...l});
  return {
    animation: false, backgroundColor: 'transparent', textStyle: {fontFamily: t.font, color: t.text},
    aria: {enabled: true, decal: {show: patterns}},
    ...option,
    tooltip: {confine: true, backgroundColor: t.panel, borderColor: t.line, textStyle: {color: t.text, fontSize: 12},
      extraCssText: 'max-width:420px;white-space:normal;', ...option.tooltip},
    xAxis: each(option.xAxis, (a) => axis({...a, axisLabel: {hideOverlap: true, ...a.axisLabel}})), yAxis: each(option.yAxis, axis), legend: each(option.legend, legend),
  };
}

/** Lines that a legend with these names takes at a width; for charts that show all their names at once. */
export function legend_lines(names, width) {
  let lines = 1;
  let used = 0;
  for (const name of names) {
    const w = 34 + 6.6 * name.length;
    if (used + w > width - 20) {
      ++lines;
      used = 0;
    }
    used += w;
  }
  return lines;
}

/** Pixels left of a chart for names on its y axis: never more than two fifths of a narrow page. */
export const label_room = (labels, width, most = 240) => Math.min(most, Math.max(90, 0.38 * width), 30 + 7 * Math.max(...labels.map((l) => l.length)));
export const names_axis = (labels, room) => ({type: 'category', data: labels, inverse: true, splitLine: {show: false}, axisLabel: {width: room - 14, overflow: 'truncate'}});

/** All names of a legend in sight where they take a few lines: the chart grows by them. */
function open_legend(option, width) {
  const {legend} = option;
  if (!legend || Array.isArray(legend) || legend.type || legend.show === false || Array.isArray(option.grid)) return option;
  const lines = legend_lines(legend.data ?? [...new Set(option.series.map((s) => s.name))], width);
  if (lines > 6) return option;
  const extra = 21 * (lines - 1);
  return {...option, legend: {...legend, type: 'plain'}, grid: {...option.grid, top: option.grid.top + extra}, extra_px: extra};
}

export class chart_card {
  /** spec: {id, title, note, height, controls, option(theme), table(), renderer, empty, points(option)} */
  constructor(spec) {
    this.spec = spec;
    this.area = h('div', {class: 'chart', id: `${spec.id}-chart`, style: {height: `${spec.height ?? 340}px`}});
    this.data_area = h('div', {class: 'data', hidden: true});
    const button = (text, title, action) => h('button', {type: 'button', class: 'small', title, onclick: action}, text);
    this.data_button = button('Data', 'Show the numbers of this chart as a table', () => this.toggle_data());
    this.data_button.setAttribute('aria-expanded', 'false');
    this.note = h('p', {class: 'note'}, spec.note ?? '');
    this.element = h('figure', {class: 'card', id: spec.id, 'aria-labelledby': `${spec.id}-title`},
      h('figcaption', {},
        h('h3', {id: `${spec.id}-title`}, spec.title),
        h('div', {class: 'tools', role: 'group', 'aria-label': `Export ${spec.title}`}, this.data_button,
          button('CSV', 'Save the numbers of this chart', () => download(`${spec.id}.csv`, csv(spec.table()), 'text/csv')),
          button('SVG', 'Save this chart as a vector picture', () => download(`${spec.id}.svg`, this.svg(), 'image/svg+xml')),
          button('PNG', 'Save this chart as a picture', () => this.png().then((b) => download(`${spec.id}.png`, b))))),
      this.note,
      spec.controls?.length ? h('div', {class: 'controls'}, spec.controls) : null,
      this.area, this.data_area);
    this.area.tabIndex = 0;
    this.area.setAttribute('role', 'img');
    this.area.setAttribute('aria-label', `${spec.title}. Arrow keys walk through the values; the button Data shows them as a table.`);
    this.area.addEventListener('keydown', (e) => this.key(e));
    this.area.addEventListener('blur', () => this.chart?.dispatchAction({type: 'hideTip'}));
    this.cursor = {series: 0, item: -1};
    cards.push(this);
    queue.push(this);
  }
  /** Fits the chart to its frame; a frame without a size (hidden, or being laid out) leaves it as it is. */
  fit(width = this.area.clientWidth) {
    if (width > 0 && this.chart && (width !== this.chart.getWidth() || this.height !== this.chart.getHeight())) this.chart.resize({width, height: this.height});
  }
  draw(width = this.area.clientWidth || this.chart?.getWidth() || 1000) {
    const t = {...theme_of(), width};
    if (!this.chart) {
      this.height = this.spec.height ?? 340;
      this.chart = echarts.init(this.area, null, {renderer: this.spec.renderer ?? 'svg', width, height: this.height});
      this.spec.ready?.(this.chart);
      new ResizeObserver(() => this.fit()).observe(this.area);
    }
    this.option = open_legend(this.spec.option(t), width);
    this.height = (this.option.height_px ?? this.spec.height ?? 340) + (this.option.extra_px ?? 0);
    this.area.style.height = `${this.height}px`;
    this.fit(width);
    this.chart.setOption(dressed(this.option, t), true);
    if (!this.data_area.hidden) this.fill_data();
  }
  set_note(text) { this.note.textContent = text; }
  /** Keyboard: left and right walk through the values of a series, up and down change the series. */
  key(event) {
    const step = {ArrowRight: 1, ArrowLeft: -1}[event.key];
    const jump = {ArrowDown: 1, ArrowUp: -1}[event.key];
    if (event.key === 'Escape') this.chart.dispatchAction({type: 'hideTip'});
    if (!step && !jump) return;
    const series = this.chart.getModel().getSeries().filter((s) => s.getData().count() > 0);
    if (!series.length) return;
    event.preventDefault();
    const c = this.cursor;
    if (jump) c.series = (c.series + jump + series.length) % series.length;
    const data = series[Math.min(c.series, series.length - 1)];
    const n = data.getData().count();
    c.item = jump ? Math.max(0, Math.min(c.item, n - 1)) : (c.item + step + n) % n;
    this.chart.dispatchAction({type: 'showTip', seriesIndex: data.seriesIndex, dataIndex: c.item});
    const value = data.getRawValue(c.item);
    announce(`${data.name} ${data.getData().getName(c.item)} ${Array.isArray(value) ? value.join(', ') : value}`);
  }
  fill_data() { this.data_area.replaceChildren(table(this.spec.table(), {caption: this.spec.title})); }
  toggle_data() {
    this.data_area.hidden = !this.data_area.hidden;
    this.data_button.setAttribute('aria-expanded', String(!this.data_area.hidden));
    if (!this.data_area.hidden) this.fill_data();
  }
  svg() {
    const t = theme_of();
    const copy = echarts.init(null, null, {renderer: 'svg', ssr: true, width: this.chart.getWidth(), height: this.chart.getHeight()});
    copy.setOption({...dressed(this.option, t), backgroundColor: t.panel});
    const text = copy.renderToSVGString();
    copy.dispose();
    return text;
  }
  png() {
    const t = theme_of();
    const box = h('div', {style: {position: 'absolute', left: '-99999px', width: `${this.chart.getWidth()}px`, height: `${this.chart.getHeight()}px`}});
    document.body.append(box);
    const copy = echarts.init(box, null, {renderer: 'canvas', devicePixelRatio: 2});
    copy.setOption({...dressed(this.option, t), backgroundColor: t.panel});
    const canvas = copy.renderToCanvas({pixelRatio: 2, backgroundColor: t.panel});
    return new Promise((done) => canvas.toBlob((blob) => {
      copy.dispose();
      box.remove();
      done(blob);
    }, 'image/png'));
  }
}

export function redraw_all(width) { for (const card of cards) if (card.chart) card.draw(width); }
export function set_patterns(on) { patterns = on; redraw_all(); }

/** Draws the charts one after the other, so that the page is usable at once; resolves when all are there. */
export function draw_queued() {
  return new Promise((done) => {
    const step = () => {
      const until = performance.now() + 12;
      while (queue.length && performance.now() < until) queue.shift().draw();
      if (queue.length) setTimeout(step, 0);
      else done();
    };
    step();
  });
}
