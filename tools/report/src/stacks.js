// SPDX-License-Identifier: Apache-2.0
// Stall stacks side by side, and what removing a cause would give.
import {chart_card, label_room, legend_lines, names_axis} from './chart.js';
import {causes_of} from './data.js';
import {select} from './dom.js';
import * as format from './format.js';
import {cause_about, cause_color, cause_label, series_color} from './palette.js';

const sum = (stack) => Object.values(stack ?? {}).reduce((a, b) => a + b, 0);

/** Horizontal stacked bars; bars are {label, stack, divide}. mode: 'time' or 'share'. */
function stack_option(bars, mode, t, what) {
  const causes = causes_of(bars.map((b) => b.stack));
  const totals = bars.map((b) => sum(b.stack));
  const unit = format.axis_unit('time', Math.max(...totals.map((x, i) => x / bars[i].divide), 1e-3));
  const share = mode === 'share';
  const labels = bars.map((b) => b.label);
  const room = label_room(labels, t.width, 220);
  const names = names_axis(labels, room);
  const legend = 21 * legend_lines(causes.map(cause_label), t.width);
  return {
    height_px: 80 + bars.length * (bars.length > 30 ? 17 : bars.length > 8 ? 30 : 46) + legend,
    grid: {left: room, right: 30, top: 20 + legend, bottom: 46},
    legend: {type: 'plain'},
    tooltip: {trigger: 'item', formatter: (p) => {
      const bar = bars[p.dataIndex];
      const ns = bar.stack[causes[p.seriesIndex]] ?? 0;
      return `<b>${format.escape(cause_label(causes[p.seriesIndex]))}</b> · ${format.escape(bar.label)}<br>${format.time(ns / bar.divide)} ${what}, ` +
        `${format.percent(ns / totals[p.dataIndex])}<br><span style="opacity:.75">${format.escape(cause_about(causes[p.seriesIndex]))}</span>`;
    }},
    xAxis: {type: 'value', name: share ? '% of the time' : `${unit.unit}${what === 'in all' ? '' : ` ${what}`}`, nameLocation: 'middle', nameGap: 28, max: share ? 100 : undefined},
    yAxis: {...names, axisLabel: {...names.axisLabel, ...(bars.length > 30 && {interval: 0, fontSize: 10})}},
    series: causes.map((cause) => ({
      name: cause_label(cause), type: 'bar', stack: 'all', barMaxWidth: 34, itemStyle: {color: cause_color(cause, t.dark), borderColor: t.panel, borderWidth: 0.7},
      emphasis: {focus: 'series'},
      data: bars.map((b, i) => {
        const ns = b.stack?.[cause] ?? 0;
        return share ? (totals[i] ? (100 * ns) / totals[i] : 0) : ns / b.divide / unit.scale;
      }),
    })),
  };
}

function stack_rows(bars) {
  const causes = causes_of(bars.map((b) => b.stack));
  return {columns: ['', ...causes.map((c) => `${c}_ns`), 'total_ns'], rows: bars.map((b) => [b.label, ...causes.map((c) => b.stack?.[c] ?? 0), sum(b.stack)])};
}

export function stack_cards(runs) {
  const made = [];
  const with_stack = runs.filter((r) => sum(r.result.stall_stack_ns) > 0);
  if (with_stack.length) {
    let mode = 'time';
    let per_token = with_stack.every((r) => r.summary.tokens > 0) && with_stack.some((r) => r.summary.tokens !== with_stack[0].summary.tokens);
    const bars = () => with_stack.map((r) => ({label: r.label, stack: r.result.stall_stack_ns, divide: per_token ? r.summary.tokens : 1}));
    const card = new chart_card({
      id: 'stalls', title: 'Where the time goes', note: 'Every picosecond of the run is booked to one cause; the parts of a bar sum to the time of the run.',
      controls: [
        select('Show', [['time', 'time'], ['share', 'share of the time']], mode, (v) => { mode = v; card.draw(); }),
        select('Of', [['run', 'the run'], ['token', 'one token']], per_token ? 'token' : 'run', (v) => { per_token = v === 'token'; card.draw(); }),
      ],
      option: (t) => stack_option(bars(), mode, t, per_token ? 'per token' : 'in all'), table: () => stack_rows(bars()),
    });
    made.push(card);
  }
  const with_kinds = runs.filter((r) => r.by_kind.length || (r.result.executors ?? []).some((e) => sum(e.stall_stack_ns) > 0));
  if (with_kinds.length) {
    let index = with_kinds[0].index;
    let by = with_kinds[0].by_kind.length ? 'kind' : 'executor';
    let mode = 'time';
    const bars = () => {
      const run = runs[index];
      if (by === 'executor')
        return (run.result.executors ?? []).filter((e) => sum(e.stall_stack_ns) > 0).map((e) => ({label: e.name, stack: e.stall_stack_ns, divide: 1}));
      if (by === 'layer') return (run.result.by_layer ?? []).map((l) => ({label: l.layer < 0 ? 'outside of layers' : `layer ${l.layer}`, stack: l.stall_stack_ns, divide: 1}));
      return [...run.by_kind].sort((a, b) => b.time_ns - a.time_ns).slice(0, 24).map((k) => ({label: `${k.kind} (${format.count(k.count)})`, stack: k.stall_stack_ns, divide: 1}));
    };
    const card = new chart_card({
      id: 'stalls-by', title: 'Where the time goes, by kind of operator, layer or executor',
      note: 'By kind and by layer: the sum over all operators of it (operators on different executors may overlap in time). By executor: its whole time line, with idle time.',
      controls: [
        with_kinds.length > 1 && select('Run', with_kinds.map((r) => [r.index, r.label]), index, (v) => { index = Number(v); card.draw(); }),
        select('By', [['kind', 'kind of operator'], ['layer', 'layer'], ['executor', 'executor']], by, (v) => { by = v; card.draw(); }),
        select('Show', [['time', 'time'], ['share', 'share of the time']], mode, (v) => { mode = v; card.draw(); }),
      ].filter(Boolean),
      option: (t) => {
        const list = bars();
        return list.length ? stack_option(list, mode, t, 'in all') : {height_px: 80};
      },
      table: () => stack_rows(bars()),
    });
    made.push(card);
  }
  made.push(...gains(runs));
  return made;
}

/** What each part of the machine gains when it is better: every bar is a simulation of its own. */
function gains(runs) {
  const simulated = runs.filter((r) => r.result.whatif?.length);
  if (!simulated.length) return [];
  const gain = (r, name, factor) => r.result.whatif.find((w) => w.resource === name && w.factor === factor)?.speedup;
  const names = [...new Set(simulated.flatMap((r) => r.result.whatif.filter((w) => w.factor === 2).map((w) => w.resource)))];
  const best = (name) => Math.max(...simulated.map((r) => gain(r, name, 2) ?? 1));
  names.sort((a, b) => best(b) - best(a)).splice(12);
  if (!names.length) return [];
  return [new chart_card({
    id: 'what-if', title: 'What if a part were twice as good', height: 90 + names.length * (18 + 14 * simulated.length),
    note: 'Each bar is the run simulated again with one part of the machine twice as good. result.json lists the settings that reproduce each (whatif[].set).',
    option: (t) => ({
      grid: {left: label_room(names, t.width, 150), right: 60, top: 34, bottom: 44},
      legend: {top: 0, left: 0, show: simulated.length > 1},
      tooltip: {trigger: 'item', formatter: (p) => `${format.escape(p.seriesName)}<br>twice the <b>${format.escape(names[p.dataIndex])}</b>: ${format.times(p.value)} as fast`},
      xAxis: {type: 'value', name: 'times as fast', nameLocation: 'middle', nameGap: 28, min: 1},
      yAxis: {type: 'category', data: names, inverse: true, splitLine: {show: false}},
      series: simulated.map((r) => ({name: r.label, type: 'bar', barMaxWidth: 18, itemStyle: {color: series_color(r.index, t.dark)},
        label: {show: true, position: 'right', color: t.text, formatter: (p) => (p.value >= 1.005 ? format.times(p.value) : '')},
        data: names.map((name) => gain(r, name, 2) ?? null)})),
    }),
    table: () => ({columns: ['resource', ...simulated.map((r) => `speedup of ${r.label} at twice`)], rows: names.map((name) => [name, ...simulated.map((r) => gain(r, name, 2))])}),
  })];
}
