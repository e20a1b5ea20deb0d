// SPDX-License-Identifier: Apache-2.0
// Charts of a sweep. Each says what it combines and what it leaves out.
import {chart_card} from './chart.js';
import {h, select, table} from './dom.js';
import * as format from './format.js';
import {line_ramp, ramp, series_color, series_dash, series_symbol} from './palette.js';
import {crossings} from './sweep_data.js';

const dots_drawn = 6000;
const lines_drawn = 1500;

const show = (o) => format.for_key(o.name);
const names = (list) => list.map((x) => [x.name, x.name]);
const hows = [['best', 'the best'], ['median', 'the median'], ['mean', 'the mean']];
/** Every n-th of a list, so that at most `most` are left; the picked ones of `always` too. */
function sample(list, most, always = []) {
  const step = Math.ceil(list.length / most);
  if (step <= 1) return list;
  const keep = new Set(always);
  return list.filter((i, k) => k % step === 0 || keep.has(i));
}
const where = (s, i) => s.axes.map((a) => `${format.escape(a.name)} = ${format.escape(a.column.value(i))}`).join('<br>');
function spread(values) {
  let low = Infinity;
  let high = -Infinity;
  for (const v of values) {
    if (v === null) continue;
    low = Math.min(low, v);
    high = Math.max(high, v);
  }
  return [low, high];
}
/** An axis for an objective: logarithmic where values span more than a decade. */
function value_axis(o, values, more = {}) {
  const [low, high] = spread(values);
  const log = low > 0 && high / low > 12;
  const pad = log ? {min: low / 1.3, max: high * 1.3} : {scale: true};
  return {type: log ? 'log' : 'value', logBase: high / low < 300 ? 2 : 10, ...pad, name: `${o.name} (${o.small ? 'less' : 'more'} is better)`, nameLocation: 'middle',
    axisLabel: {formatter: (v) => show(o)(v), showMinLabel: !log, showMaxLabel: !log, hideOverlap: true}, ...more};
}
const default_series = (s) => s.axes.find((a) => a.name === 'platform') ?? s.axes.find((a) => !a.ordered && a.levels.length <= 12) ?? null;
const colored = (a) => a.levels.length <= 16;

export function pareto_card(s, id, open) {
  let x = s.objectives[0];
  let y = s.pair[1];
  let by = default_series(s) ?? s.axes.find(colored) ?? null;
  let series = [];
  const card = new chart_card({
    id: id('pareto'), title: 'Pareto front', height: 520, renderer: 'canvas',
    controls: [
      select('Across', names(s.objectives), x.name, (v) => { x = s.objective(v); card.draw(); }),
      select('Up', names(s.objectives), y.name, (v) => { y = s.objective(v); card.draw(); }),
      select('Colour', [['', 'none'], ...names(s.axes.filter(colored))], by?.name ?? '', (v) => { by = s.axis(v) ?? null; card.draw(); }),
    ],
    ready: (chart) => chart.on('click', (p) => p.data?.i !== undefined && open(p.data.i)),
    option: (t) => {
      const front = s.front(x, y);
      const with_both = s.good.filter((i) => x.value(i) !== null && y.value(i) !== null);
      const drawn = sample(with_both, dots_drawn, front);
      const on_front = new Set(front);
      card?.set_note(`${format.count(front.length)} of ${format.count(with_both.length)} points are on the front: no other point is better in both.` +
        (drawn.length < with_both.length ? ` ${format.count(drawn.length)} dots are drawn, the whole front among them.` : '') + ' Click a dot for its settings.');
      const groups = by ? by.levels.map((l) => l.label) : ['points'];
      const dot = (i) => ({value: [x.value(i), y.value(i)], i, symbolSize: on_front.has(i) ? 12 : drawn.length > 500 ? 6 : 8, itemStyle: {opacity: on_front.has(i) ? 1 : drawn.length > 500 ? 0.45 : 0.8}});
      series = groups.map((label, k) => ({type: 'scatter', name: label, symbol: series_symbol(k), color: series_color(k, t.dark), itemStyle: {borderColor: t.panel, borderWidth: 0.5},
        data: drawn.filter((i) => !by || by.level(i) === k).map(dot)}));
      series.push({type: 'line', name: 'front', step: x.small === y.small ? (x.small ? 'end' : 'start') : 'end', symbol: 'none', color: t.text, lineStyle: {width: 1.6, color: t.text}, silent: true, z: 1,
        data: front.map((i) => [x.value(i), y.value(i)])});
      return {
        grid: {left: 100, right: 30, top: 44, bottom: 56}, legend: {},
        tooltip: {trigger: 'item', formatter: (p) => (p.data?.i === undefined ? 'front' : `<b>point ${s.number(p.data.i)}</b>${on_front.has(p.data.i) ? ' · on the front' : ''}<br>${format.escape(x.name)}: ${show(x)(p.value[0])}<br>${format.escape(y.name)}: ${show(y)(p.value[1])}<br>${where(s, p.data.i)}`)},
        xAxis: value_axis(x, with_both.map(x.value), {nameGap: 32}), yAxis: value_axis(y, with_both.map(y.value), {nameGap: 78}), series,
      };
    },
    table: () => ({columns: ['point', x.name, y.name, ...s.axes.map((a) => a.name)], rows: s.front(x, y).map((i) => [s.number(i), x.value(i), y.value(i), ...s.axes.map((a) => a.column.value(i))])}),
  });
  return card;
}

export function tornado_card(s, id) {
  let o = s.objectives[0];
  const card = new chart_card({
    id: id('sensitivity'), title: 'Which axis matters most',
    note: 'For each axis: the medians over all points with its worst and its best value, as ratios to the median of all points. The percentage is the share of the variance that the axis explains alone.',
    controls: [select('Objective', names(s.objectives), o.name, (v) => { o = s.objective(v); card.draw(); })],
    option: (t) => {
      const list = s.sensitivity(o).slice(0, 20);
      if (!list.length) return {height_px: 60};
      const positive = list.every((e) => e.low > 0 && e.whole > 0);
      const at = (e, v) => (positive ? v / e.whole : v - e.whole);
      const longest = Math.max(...list.map((e) => e.axis.name.length));
      const [low, high] = spread(list.flatMap((e) => [at(e, e.low), at(e, e.high)]));
      const nice = (e, v) => e.levels.find((l) => l.median === v)?.label ?? '';
      return {
        height_px: 96 + 44 * list.length,
        grid: {left: Math.min(260, 40 + longest * 7), right: 80, top: 16, bottom: 56},
        tooltip: {trigger: 'item', formatter: (p) => {
          const e = list[p.dataIndex];
          return `<b>${format.escape(e.axis.name)}</b>, explains ${format.percent(e.share)}<br>` + e.levels.slice(0, 16).map((l) => `${format.escape(l.label)}: ${show(o)(l.median)} (${format.count(l.count)} points)`).join('<br>');
        }},
        xAxis: {type: positive ? 'log' : 'value', logBase: high / low < 300 ? 2 : 10, ...(positive ? {min: low / 1.25, max: high * 1.25} : {}), name: positive ? `${o.name}, times the median of all points` : `${o.name}, difference to the median`, nameLocation: 'middle', nameGap: 32,
          axisLabel: {formatter: (v) => (positive ? format.times(v) : show(o)(v)), showMinLabel: false, showMaxLabel: false, hideOverlap: true}},
        yAxis: {type: 'category', data: list.map((e) => e.axis.name), inverse: true, splitLine: {show: false}, axisLabel: {width: 230, overflow: 'truncate'}},
        series: [{
          type: 'custom', name: o.name, encode: {x: [0, 1], y: 2},
          renderItem: (params, api) => {
            const e = list[params.dataIndex];
            const a = api.coord([api.value(0), params.dataIndex]);
            const b = api.coord([api.value(1), params.dataIndex]);
            const middle = api.coord([positive ? 1 : 0, params.dataIndex])[0];
            const good = o.small ? [a[0], middle] : [middle, b[0]];
            const bad = o.small ? [middle, b[0]] : [a[0], middle];
            const bar = (range, fill) => ({type: 'rect', shape: {x: range[0], y: a[1] - 10, width: Math.max(1, range[1] - range[0]), height: 20}, style: {fill}});
            const label = (text, px, align) => ({type: 'text', style: {text, x: px, y: a[1], textAlign: align, textVerticalAlign: 'middle', fill: t.muted, fontSize: 11}});
            return {type: 'group', children: [bar(good, series_color(2, t.dark)), bar(bad, series_color(1, t.dark)),
              label(nice(e, e.low), a[0] - 5, 'right'), label(`${nice(e, e.high)}  (${format.percent(e.share)})`, b[0] + 5, 'left'),
              {type: 'line', shape: {x1: middle, x2: middle, y1: a[1] - 16, y2: a[1] + 16}, style: {stroke: t.text, lineWidth: 1}}]};
          },
          data: list.map((e, k) => [at(e, e.low), at(e, e.high), k]),
        }],
      };
    },
    table: () => ({columns: ['axis', 'value', `median of ${o.name}`, 'points', 'share of the variance'], rows: s.sensitivity(o).flatMap((e) => e.levels.map((l) => [e.axis.name, l.label, l.median, l.count, e.share]))}),
  });
  return card;
}

/** Two different axes to begin with: ordered ones first. */
function two_axes(s, but = null) {
  const list = [...s.axes.filter((a) => a.ordered && a !== but), ...s.axes.filter((a) => !a.ordered && a !== but)];
  return [list[0], list[1] ?? list[0]];
}

export function heat_card(s, id, open) {
  let [x, y] = two_axes(s);
  let o = s.objectives[0];
  let how = 'best';
  const card = new chart_card({
    id: id('heat'), title: 'Heat map of two axes', renderer: 'svg',
    controls: [
      select('Across', names(s.axes), x.name, (v) => { x = s.axis(v); card.draw(); }),
      select('Up', names(s.axes), y.name, (v) => { y = s.axis(v); card.draw(); }),
      select('Objective', names(s.objectives), o.name, (v) => { o = s.objective(v); card.draw(); }),
      select('A cell shows', hows, how, (v) => { how = v; card.draw(); }),
    ],
    ready: (chart) => chart.on('click', (p) => p.data?.point >= 0 && open(p.data.point)),
    option: (t) => {
      const cells = s.cells(x, y, o, how);
      const flat = cells.flatMap((row, b) => row.map((c, a) => ({value: [a, b, c.value], point: c.point, count: c.count}))).filter((c) => c.value[2] !== null);
      const [low, high] = spread(flat.map((c) => c.value[2]));
      const log = low > 0 && high / low > 12;
      const scale = log ? Math.log10 : (v) => v;
      const ink = (v) => (((scale(v) - scale(low)) / (scale(high) - scale(low) || 1) > (o.small ? 0.45 : 0.55)) !== o.small ? '#111' : '#fff');
      const other = Math.max(...flat.map((c) => c.count), 0);
      card?.set_note(other > 1 ? `A cell holds up to ${format.count(other)} points, which differ in the other axes; it shows ${hows.find((w) => w[0] === how)[1]} of them. Click a cell for its best point.` : 'Click a cell for its point.');
      const longest = Math.max(...y.levels.map((l) => l.label.length));
      const crowded = x.levels.length * y.levels.length > 240 || x.levels.length > 14;
      return {
        height_px: 120 + Math.max(6, y.levels.length) * (y.levels.length > 20 ? 20 : 32),
        grid: {left: Math.min(220, 60 + longest * 7), right: 120, top: 20, bottom: 62},
        tooltip: {formatter: (p) => `${format.escape(x.name)} = ${format.escape(x.levels[p.value[0]].label)}<br>${format.escape(y.name)} = ${format.escape(y.levels[p.value[1]].label)}<br><b>${show(o)(p.data.shown)}</b>, ${format.count(p.data.count)} points`},
        xAxis: {type: 'category', data: x.levels.map((l) => l.label), name: x.name, nameLocation: 'middle', nameGap: 34, splitLine: {show: false}, axisLabel: {hideOverlap: true}},
        yAxis: {type: 'category', data: y.levels.map((l) => l.label), name: y.name, nameLocation: 'middle', nameGap: Math.min(180, 24 + longest * 7), splitLine: {show: false}},
        visualMap: {min: scale(low), max: scale(high) > scale(low) ? scale(high) : scale(low) + 1e-9, calculable: false, right: 0, top: 'center', itemHeight: 140, text: [show(o)(high), show(o)(low)], textStyle: {color: t.muted},
          inRange: {color: o.small ? [...ramp].reverse() : ramp}},
        series: [{type: 'heatmap', data: flat.map((c) => ({...c, shown: c.value[2], value: [c.value[0], c.value[1], scale(c.value[2])], label: {color: ink(c.value[2])}})), itemStyle: {borderColor: t.panel, borderWidth: 1},
          label: {show: !crowded, fontSize: 11, formatter: (p) => show(o)(p.data.shown)}}],
      };
    },
    table: () => {
      const cells = s.cells(x, y, o, how);
      return {columns: [`${y.name} \\ ${x.name}`, ...x.levels.map((l) => l.label)], rows: y.levels.map((l, b) => [l.label, ...cells[b].map((c) => c.value)])};
    },
  });
  return card;
}

/** Which level of a series axis (a platform) is best, over two other axes: the crossover lines are the borders. */
export function crossover_card(s, id) {
  const candidates = s.axes.filter((a) => a.levels.length <= 16);
  let who = default_series(s) ?? candidates[0];
  if (!who || s.axes.length < 2) return null;
  let [x, y] = two_axes(s, who);
  let o = s.objectives[0];
  const one = {name: '(none)', levels: [{label: 'all', at: 0}], level: () => 0};
  if (y === x || y === who) y = one;
  const matrix = () => {
    const each = who.levels.map((_, k) => s.cells(x, y, o, 'best', (i) => who.level(i) === k));
    return y.levels.map((_, b) => x.levels.map((__, a) => {
      const ranked = who.levels.map((___, k) => ({k, value: each[k][b][a].value})).filter((e) => e.value !== null).sort((p, q) => (o.small ? p.value - q.value : q.value - p.value));
      return {first: ranked[0], second: ranked[1]};
    }));
  };
  const card = new chart_card({
    id: id('crossover'), title: 'Who is best where', renderer: 'svg',
    note: 'Each cell names the winner and by how many times it beats the second; the crossover lines are the borders between the winners. Each contender is taken with its best settings of the axes not shown.',
    controls: [
      select('Contenders', names(candidates), who.name, (v) => { who = s.axis(v); card.draw(); }),
      select('Across', names(s.axes), x.name, (v) => { x = s.axis(v); card.draw(); }),
      select('Up', [[one.name, 'nothing'], ...names(s.axes)], y.name, (v) => { y = s.axis(v) ?? one; card.draw(); }),
      select('Objective', names(s.objectives), o.name, (v) => { o = s.objective(v); card.draw(); }),
    ],
    option: (t) => {
      const m = matrix();
      const cells = m.flatMap((row, b) => row.map((c, a) => ({a, b, ...c}))).filter((c) => c.first);
      const ratio = (c) => (c.second && c.first.value > 0 && c.second.value > 0 ? (o.small ? c.second.value / c.first.value : c.first.value / c.second.value) : undefined);
      const winners = [...new Set(cells.map((c) => c.first.k))].sort((p, q) => p - q);
      const longest = Math.max(...y.levels.map((l) => l.label.length));
      const borders = [];  // between neighbours with different winners: crisp lines that are seen without colours, too
      for (let b = 0; b < y.levels.length; ++b)
        for (let a = 0; a < x.levels.length; ++a) {
          const here = m[b][a].first?.k;
          if (here === undefined) continue;
          if (a + 1 < x.levels.length && m[b][a + 1].first && m[b][a + 1].first.k !== here) borders.push([a + 0.5, b - 0.5, a + 0.5, b + 0.5]);
          if (b + 1 < y.levels.length && m[b + 1][a].first && m[b + 1][a].first.k !== here) borders.push([a - 0.5, b + 0.5, a + 0.5, b + 0.5]);
        }
      const box = (api, a, b) => {
        const [cx, cy] = api.coord([a, b]);
        const [w, hgt] = api.size([1, 1]);
        return {x: cx - w / 2, y: cy - hgt / 2, w, hgt};
      };
      return {
        height_px: 130 + Math.max(3, y.levels.length) * 36,
        grid: {left: y === one ? 40 : Math.min(220, 60 + longest * 7), right: 30, top: 40, bottom: 62}, legend: {},
        tooltip: {trigger: 'item', formatter: (p) => {
          const c = p.data?.cell;
          if (!c) return '';
          return `${format.escape(x.name)} = ${format.escape(x.levels[c.a].label)}${y === one ? '' : `<br>${format.escape(y.name)} = ${format.escape(y.levels[c.b].label)}`}<br><b>${format.escape(who.levels[c.first.k].label)}</b> ${show(o)(c.first.value)}` +
            (c.second ? `<br>then ${format.escape(who.levels[c.second.k].label)} ${show(o)(c.second.value)}` : '');
        }},
        xAxis: {type: 'category', data: x.levels.map((l) => l.label), name: x.name, nameLocation: 'middle', nameGap: 34, splitLine: {show: false}, axisLabel: {hideOverlap: true}},
        yAxis: {type: 'category', data: y.levels.map((l) => l.label), name: y === one ? '' : y.name, nameLocation: 'middle', nameGap: Math.min(180, 24 + longest * 7), splitLine: {show: false}, axisLabel: {show: y !== one}},
        series: [...winners.map((k) => ({
          type: 'custom', name: who.levels[k].label, color: series_color(k, t.dark), encode: {x: 0, y: 1},
          renderItem: (params, api) => {
            const r = box(api, api.value(0), api.value(1));
            const v = api.value(2);
            const strength = 0.35 + 0.5 * Math.min(1, Math.log2(Math.max(1, v || 1)) / 3);
            return {type: 'group', children: [
              {type: 'rect', shape: {x: r.x + 0.5, y: r.y + 0.5, width: r.w - 1, height: r.hgt - 1}, style: {fill: api.visual('color'), opacity: strength}},
              r.w > 44 && r.hgt > 15 ? {type: 'text', style: {text: v > 0 ? format.times(v) : '', x: r.x + r.w / 2, y: r.y + r.hgt / 2, textAlign: 'center', textVerticalAlign: 'middle', fill: t.dark && strength > 0.75 ? '#111' : t.text, fontSize: 11.5}} : {type: 'group', children: []}]};
          },
          data: cells.filter((c) => c.first.k === k).map((c) => ({value: [c.a, c.b, ratio(c) ?? 0], cell: c})),
        })), {
          type: 'custom', name: 'crossover', silent: true, z: 5, color: t.text, encode: {x: 0, y: 1},
          renderItem: (params, api) => {
            const [xa, ya, xb, yb] = borders[params.dataIndex];
            const r = box(api, 0, 0);
            const px = (v) => r.x + r.w / 2 + v * r.w;
            const py = (v) => r.y + r.hgt / 2 - v * r.hgt;
            return {type: 'line', shape: {x1: px(xa), y1: py(ya), x2: px(xb), y2: py(yb)}, style: {stroke: t.text, lineWidth: 2.5}};
          },
          data: borders.map(() => [0, 0]),
        }],
      };
    },
    table: () => ({columns: [x.name, y.name, 'best', o.name, 'second', `${o.name} of the second`],
      rows: matrix().flatMap((row, b) => row.map((c, a) => [x.levels[a].label, y.levels[b].label, c.first ? who.levels[c.first.k].label : '', c.first?.value, c.second ? who.levels[c.second.k].label : '', c.second?.value]))}),
  });
  return card;
}

export function line_card(s, id) {
  if (!s.axes.length) return null;
  let x = two_axes(s)[0];
  let series = default_series(s) ?? s.axes.find((a) => a !== x && colored(a)) ?? null;
  if (series === x) series = null;
  let o = s.objectives[0];
  let how = 'best';
  const found = h('div', {class: 'card'});
  const tell = (curves) => {
    const list = x.ordered ? crossings(curves, x) : [];
    const at = (v) => `${format.number(v)}${x.unit ? ` ${x.unit}` : ''}`;
    found.replaceChildren(h('h3', {}, 'Crossovers of these lines'), list.length
      ? table({columns: ['between', 'and', `at ${x.name}`, 'between the values', 'better below'], rows: list.slice(0, 60).map((c) => [c.a, c.b, `≈ ${at(c.at)}`, `${c.from} and ${c.to}`, o.small ? c.left : c.left === c.a ? c.b : c.a])}, {caption: 'Crossovers'})
      : h('p', {class: 'note'}, x.ordered ? 'No two lines cross in this range.' : 'The axis has no order.'));
    return list;
  };
  const card = new chart_card({
    id: id('lines'), title: 'Lines', height: 440,
    controls: [
      select('Across', names(s.axes), x.name, (v) => { x = s.axis(v); card.draw(); }),
      select('Lines', [['', 'one'], ...names(s.axes.filter(colored))], series?.name ?? '', (v) => { series = s.axis(v) ?? null; card.draw(); }),
      select('Objective', names(s.objectives), o.name, (v) => { o = s.objective(v); card.draw(); }),
      select('A point shows', hows, how, (v) => { how = v; card.draw(); }),
    ],
    option: (t) => {
      const curves = s.curves(x, series, o, how);
      const list = tell(curves);
      const values = curves.flatMap((c) => c.values.map((v) => v.value)).filter((v) => v !== null);
      const most = curves.flatMap((c) => c.values.map((v) => v.count)).reduce((a, b) => Math.max(a, b), 0);
      card?.set_note(most > 1 ? `Each point of a line stands for up to ${format.count(most)} points of the sweep, which differ in the axes not shown: ${hows.find((w) => w[0] === how)[1]} of them.` : '');
      const numeric = x.ordered;
      return {
        grid: {left: 100, right: 40, top: 44, bottom: 56}, legend: {},
        tooltip: {trigger: 'item', formatter: (p) => `<b>${format.escape(p.seriesName)}</b><br>${format.escape(x.name)} = ${format.escape(x.levels[p.data.k]?.label ?? '')}<br>${format.escape(o.name)}: ${show(o)(p.data.v)}, ${format.count(p.data.n)} points`},
        xAxis: numeric
          ? {type: x.logarithmic ? 'log' : 'value', logBase: 2, scale: true, ...(x.logarithmic ? {min: x.levels[0].at / 1.15, max: x.levels[x.levels.length - 1].at * 1.15} : {}), name: x.unit ? `${x.name}, ${x.unit}` : x.name, nameLocation: 'middle', nameGap: 32,
            axisLabel: {formatter: (v) => format.number(v), showMinLabel: !x.logarithmic, showMaxLabel: !x.logarithmic, hideOverlap: true}}
          : {type: 'category', data: x.levels.map((l) => l.label), name: x.name, nameLocation: 'middle', nameGap: 32},
        yAxis: value_axis(o, values, {nameGap: 78}),
        series: curves.map((c, k) => ({
          type: 'line', name: series ? `${series.name} = ${c.label}` : o.name, symbol: series_symbol(k), symbolSize: 8, color: series_color(k, t.dark), lineStyle: {width: 2, type: series_dash(k)}, connectNulls: true,
          data: c.values.map((v, j) => ({value: [numeric ? x.levels[j].at : j, v.value], k: j, v: v.value, n: v.count})).filter((d) => d.v !== null),
          markLine: k === 0 && list.length && list.length <= 6 ? {silent: true, symbol: 'none', lineStyle: {color: t.muted, type: 'dotted'}, label: {color: t.muted, fontSize: 11, formatter: (p) => p.name},
            data: list.map((e) => ({name: `≈ ${format.number(e.at)}`, xAxis: e.at}))} : undefined,
        })),
      };
    },
    table: () => {
      const curves = s.curves(x, series, o, how);
      return {columns: [x.name, ...curves.map((c) => c.label)], rows: x.levels.map((l, k) => [l.label, ...curves.map((c) => c.values[k].value)])};
    },
  });
  return {element: h('div', {}, card.element, found)};
}

export function parallel_card(s, id, open) {
  const ends = s.pair;
  let by = ends[0];
  const front = ends.length > 1 ? s.front(ends[0], ends[1]) : [];
  const drawn = sample(s.good.filter((i) => ends.every((o) => o.value(i) !== null)), lines_drawn, front);
  const card = new chart_card({
    id: id('parallel'), title: 'Parallel coordinates', height: 440, renderer: 'canvas',
    note: `A line is a point of the sweep; drag along an axis to keep the points in that range.${drawn.length < s.good.length ? ` ${format.count(drawn.length)} of ${format.count(s.good.length)} lines are drawn, the whole front among them.` : ''}`,
    controls: [select('Colour', names(ends), by.name, (v) => { by = s.objective(v); card.draw(); })],
    ready: (chart) => chart.on('click', (p) => p.dataIndex !== undefined && open(drawn[p.dataIndex])),
    option: (t) => {
      const values = drawn.map((i) => by.value(i));
      const [low, high] = spread(values);
      const log = low > 0 && high / low > 12;
      const scale = log ? Math.log10 : (v) => v;
      const line = {lineStyle: {color: t.muted}};
      const text = {color: t.text, fontSize: 11, textBorderColor: t.panel, textBorderWidth: 3};  // lines pass behind the names
      const dimensions = [
        ...s.axes.map((a, k) => ({dim: k, name: a.name, type: 'category', data: a.levels.map((l) => l.label), axisLabel: {...text, hideOverlap: true, width: 150, overflow: 'truncate'}})),
        ...ends.map((o, k) => {
          const [a, b] = spread(drawn.map((i) => o.value(i)));
          const wide = a > 0 && b / a > 12;
          return {dim: s.axes.length + k, name: o.name, type: wide ? 'log' : 'value', logBase: b / a < 300 ? 2 : 10, ...(wide ? {min: a, max: b} : {scale: true}), axisLabel: {...text, formatter: (v) => show(o)(v), hideOverlap: true}};
        }),
      ].map((d) => ({...d, axisLine: line, axisTick: line, nameTextStyle: text, nameTruncate: {maxWidth: 150}}));
      return {
        parallel: {left: 60, right: 150, top: 50, bottom: 30, parallelAxisDefault: {nameLocation: 'end', nameGap: 18, areaSelectStyle: {color: t.text, opacity: 0.15, borderColor: t.text}}},
        parallelAxis: dimensions,
        tooltip: {trigger: 'item', formatter: (p) => `<b>point ${s.number(drawn[p.dataIndex])}</b><br>${ends.map((o) => `${format.escape(o.name)}: ${show(o)(o.value(drawn[p.dataIndex]))}`).join('<br>')}<br>${where(s, drawn[p.dataIndex])}`},
        visualMap: {min: scale(low), max: Math.max(scale(high), scale(low) + 1e-9), dimension: s.axes.length + ends.length, right: 0, top: 'center', itemHeight: 140, calculable: false, text: [show(by)(high), show(by)(low)],
          textStyle: {color: t.muted}, inRange: {color: by.small ? line_ramp(t.dark).reverse() : line_ramp(t.dark)}},
        series: [{type: 'parallel', smooth: false, lineStyle: {width: 1.2, opacity: drawn.length > 400 ? 0.25 : 0.75}, emphasis: {lineStyle: {width: 3, opacity: 1}}, progressive: 0,
          data: drawn.map((i) => [...s.axes.map((a) => a.levels[a.level(i)]?.label), ...ends.map((o) => o.value(i)), scale(by.value(i))])}],
      };
    },
    table: () => ({columns: ['point', ...s.axes.map((a) => a.name), ...ends.map((o) => o.name)], rows: drawn.map((i) => [s.number(i), ...s.axes.map((a) => a.column.value(i)), ...ends.map((o) => o.value(i))])}),
  });
  return card;
}
