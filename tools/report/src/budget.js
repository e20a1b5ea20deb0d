// SPDX-License-Identifier: Apache-2.0
// Where the tensors lie, and where the energy goes.
import {chart_card, label_room, legend_lines, names_axis} from './chart.js';
import {h, select} from './dom.js';
import * as format from './format.js';
import {class_color, series_color, series_dash} from './palette.js';

const class_labels = {weights: 'weights', kv_cache: 'KV cache', activations: 'activations', padding: 'cells without a bit'};

export function placement_parts(runs) {
  const all = runs.flatMap((run) => (run.result.placement?.memories ?? []).map((m) => ({run, m, label: runs.length > 1 ? `${run.label} · ${m.name}` : m.name})));
  if (!all.length) return [];
  const list = all.slice(0, 40);
  const classes = [...new Set(list.flatMap((e) => Object.keys(e.m.by_class ?? {})))];
  let mode = 'bytes';
  const used = (m) => m.used_bytes ?? Object.values(m.by_class ?? {}).reduce((a, b) => a + b, 0);
  // Arrays: narrow weights and folding take more cells than bytes.
  const padding = (m) => Math.max(0, (m.cells_used ?? 0) * (m.capacity_bytes ?? 0) - used(m));
  const taken = (m) => used(m) + padding(m);
  const padded = list.some((e) => padding(e.m) > 0);
  const card = new chart_card({
    id: 'capacity', title: 'What lies where', note: all.length > list.length ? `The first 40 of ${all.length} memories; the CSV has all.` : '',
    controls: [select('Show', [['bytes', 'bytes'], ['share', 'share of the capacity']], mode, (v) => { mode = v; card.draw(); })],
    option: (t) => {
      const most = Math.max(...list.map((e) => Math.max(e.m.capacity_bytes ?? 0, used(e.m))));
      const u = format.axis_unit('bytes', most);
      const share = mode === 'share';
      const scale = (e, v) => (share ? (e.m.capacity_bytes ? (100 * v) / e.m.capacity_bytes : 0) : v / u.scale);
      const parts = [...classes.map((c) => [c, (m) => m.by_class?.[c] ?? 0]), ...(padded ? [['padding', padding]] : []), ['free', (m) => Math.max(0, (m.capacity_bytes ?? 0) - taken(m))]];
      const room = label_room(list.map((e) => e.label), t.width, 260);
      return {
        height_px: 100 + list.length * (list.length > 10 ? 24 : 38),
        grid: {left: room, right: 90, top: 36, bottom: 46}, legend: {top: 0, left: 0},
        tooltip: {trigger: 'item', formatter: (p) => {
          const e = list[p.dataIndex];
          const v = parts[p.seriesIndex][1](e.m);
          return `<b>${format.escape(e.label)}</b><br>${format.escape(p.seriesName)}: ${format.bytes(v)}<br>used ${format.bytes(used(e.m))} of ${format.bytes(e.m.capacity_bytes)}`;
        }},
        xAxis: {type: 'value', name: share ? '% of the capacity' : u.unit, nameLocation: 'middle', nameGap: 28, max: share ? (v) => Math.max(100, v.max) : undefined},
        yAxis: names_axis(list.map((e) => e.label), room),
        series: parts.map(([c, of], k) => ({
          name: class_labels[c] ?? c, type: 'bar', stack: 'all', barMaxWidth: 26,
          itemStyle: {color: class_color(c, t.dark), borderColor: c === 'free' ? t.line : t.panel, borderWidth: 0.7},
          label: k === parts.length - 1 ? {show: true, position: 'right', color: t.muted, formatter: (p) => (list[p.dataIndex].m.capacity_bytes ? `${format.percent(taken(list[p.dataIndex].m) / list[p.dataIndex].m.capacity_bytes)} ${list[p.dataIndex].m.cells_used === undefined ? 'used' : 'of the cells'}` : '')} : undefined,
          data: list.map((e) => scale(e, of(e.m))),
        })),
      };
    },
    table: () => ({columns: ['memory', 'capacity_bytes', 'used_bytes', 'cells_used', ...classes.map((c) => `${c}_bytes`)], rows: all.map((e) => [e.label, e.m.capacity_bytes, used(e.m), e.m.cells_used ?? '', ...classes.map((c) => e.m.by_class?.[c] ?? 0)])}),
  });
  const notes = runs.flatMap((run) => (run.result.placement?.notes ?? []).map((n) => h('li', {}, runs.length > 1 ? h('strong', {}, `${run.label}: `) : null, String(n))));
  return [card.element, notes.length ? h('div', {class: 'card'}, h('h3', {}, 'How it was placed'), h('ul', {}, notes)) : null].filter(Boolean);
}

export function energy_card(runs) {
  const shown = runs.filter((r) => Object.keys(r.result.energy?.by_component_pj ?? {}).length);
  if (!shown.length) return null;
  // A memory is called this here and that there: what its DRAM does is the same everywhere, and one part of all memories.
  const part_of = (r, component) => {
    const dot = component.indexOf('.');
    const is_dram = dot > 0 && (r.result.memories ?? []).some((m) => m.standard && m.name === component.slice(0, dot));
    return is_dram ? `DRAM ${component.slice(dot + 1)}` : component;
  };
  const parts_of = new Map(shown.map((r) => {
    const sums = {};
    for (const [c, pj] of Object.entries(r.result.energy.by_component_pj)) sums[part_of(r, c)] = (sums[part_of(r, c)] ?? 0) + pj;
    return [r, sums];
  }));
  const weight = new Map();
  for (const r of shown) {
    const total = Object.values(parts_of.get(r)).reduce((a, b) => a + b, 0) || 1;
    for (const [c, pj] of Object.entries(parts_of.get(r))) if (pj > 0) weight.set(c, Math.max(weight.get(c) ?? 0, pj / total));
  }
  const components = [...new Set(shown.flatMap((r) => Object.keys(r.result.energy.by_component_pj)))];
  const ranked = [...weight.keys()].sort((a, b) => weight.get(b) - weight.get(a));
  const main = ranked.slice(0, 14);
  const rest = ranked.slice(14);
  let per = shown.every((r) => r.summary.tokens > 0) ? 'token' : 'run';
  let mode = 'energy';
  const divide = (r) => (per === 'token' ? r.summary.tokens || 1 : 1);
  const of = (r, c) => (c === '' ? rest.reduce((a, x) => a + (parts_of.get(r)[x] ?? 0), 0) : parts_of.get(r)[c] ?? 0);
  const total = (r) => Object.values(r.result.energy.by_component_pj).reduce((a, b) => a + b, 0);
  const list = rest.length ? [...main, ''] : main;
  const card = new chart_card({
    id: 'energy', title: 'Where the energy goes', note: rest.length ? `The ${main.length} largest parts; ${rest.length} more are summed as “other”. The data table has every component of every module.` : '',
    controls: [
      select('Of', [['token', 'one token'], ['run', 'the run']], per, (v) => { per = v; card.draw(); }),
      select('Show', [['energy', 'energy'], ['share', 'share']], mode, (v) => { mode = v; card.draw(); }),
    ],
    option: (t) => {
      const u = format.axis_unit('energy', Math.max(...shown.map((r) => total(r) / divide(r))));
      const room = label_room(shown.map((r) => r.label), t.width);
      const legend = 21 * legend_lines(list.map((c) => c || 'other'), t.width);
      return {
        height_px: 100 + legend + shown.length * 46, grid: {left: room, right: 90, top: 20 + legend, bottom: 46}, legend: {type: 'plain'},
        tooltip: {trigger: 'item', formatter: (p) => {
          const r = shown[p.dataIndex];
          const v = of(r, list[p.seriesIndex]);
          return `<b>${format.escape(p.seriesName)}</b> · ${format.escape(r.label)}<br>${format.energy(v / divide(r))}${per === 'token' ? ' per token' : ''}, ${format.percent(v / total(r))}`;
        }},
        xAxis: {type: 'value', name: mode === 'share' ? '% of the energy' : `${u.unit}${per === 'token' ? ' per token' : ''}`, nameLocation: 'middle', nameGap: 28, max: mode === 'share' ? 100 : undefined},
        yAxis: names_axis(shown.map((r) => r.label), room),
        series: list.map((c, k) => ({
          name: c === '' ? 'other' : c, type: 'bar', stack: 'all', barMaxWidth: 30,
          itemStyle: {color: c === '' ? t.muted : series_color(k, t.dark), opacity: c === '' || series_dash(k) === 'solid' ? 1 : 0.6, borderColor: t.panel, borderWidth: 0.7},
          label: k === list.length - 1 ? {show: true, position: 'right', color: t.text, formatter: (p) => format.energy(total(shown[p.dataIndex]) / divide(shown[p.dataIndex]))} : undefined,
          data: shown.map((r) => (mode === 'share' ? (100 * of(r, c)) / (total(r) || 1) : of(r, c) / divide(r) / u.scale)),
        })),
      };
    },
    table: () => ({columns: ['component', ...shown.map((r) => `${r.label} (pJ)`)], rows: [...components.map((c) => [c, ...shown.map((r) => r.result.energy.by_component_pj[c] ?? 0)]), ['total', ...shown.map((r) => r.result.energy.total_pj ?? total(r))]]}),
  });
  return card;
}
