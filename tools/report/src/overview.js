// SPDX-License-Identifier: Apache-2.0
// What a reader wants first: which platform is faster, by how much, and what it waits for.
import {at} from './data.js';
import {h, select} from './dom.js';
import * as format from './format.js';
import {cause_about, cause_label, groups, series_color} from './palette.js';
import {theme_of} from './chart.js';

/** A number of result.json on the page: the text for people, the exact value beside it for checks and for hovering. */
export function value_node(run, path, formatter = format.for_key(path)) {
  const value = at(run.result, path);
  return h('span', {class: 'value', 'data-run': run.index, 'data-path': path,
    'data-value': typeof value === 'number' ? String(value) : undefined,
    title: typeof value === 'number' ? `${path} = ${value}` : undefined}, formatter(value));
}

const rows = [
  ['summary.time_ns', 'Time', format.time, 'low'],
  ['summary.tokens', 'Tokens', format.count],
  ['summary.time_per_token_ns', 'Time per token', format.time, 'low'],
  ['summary.tokens_per_s', 'Tokens per second', format.number, 'high'],
  ['summary.bound_by', 'Wall (simulated)', (x) => x ?? '–'],
  ['summary.booked_most', 'Most time booked to', (x) => (x ? cause_label(x) : '–')],
  ['summary.energy_pj', 'Energy', format.energy, 'low'],
  ['summary.energy_per_token_pj', 'Energy per token', format.energy, 'low'],
  ['machine.chips', 'Chips that compute', format.count],
  ['machine.memory_capacity_bytes', 'Memory capacity', format.bytes],
  ['machine.memory_bandwidth_gbps', 'Outside bandwidth', format.gbps],
  ['machine.area_mm2', 'Area of the macros, mm²', format.number],
  ['machine.power_w', 'Power drawn, W', format.number],
  ['summary.flops', 'Arithmetic', format.flops],
  ['summary.weight_bytes', 'Weights', format.bytes],
  ['summary.kv_bytes', 'KV cache', format.bytes],
  ['summary.dram_bytes', 'Moved from and to DRAM', format.bytes],
  ['summary.bus_bytes', 'Moved over buses', format.bytes],
  ['summary.link_bytes', 'Moved over links', format.bytes],
  ['summary.dram_bandwidth_gbps', 'DRAM bandwidth reached', format.gbps],
  ['summary.dram_utilization', 'DRAM utilisation', format.percent],
  ['summary.bus_utilization', 'Bus utilisation', format.percent],
];

const traffic = rows.findIndex(([path]) => path === 'summary.flops');

/** "decode, batch 1, context 2048, fp16": the workload in one line. */
export function workload_line(result) {
  const w = result.workload ?? {};
  const parts = [];
  if (w.phase) parts.push(w.phase);
  const idle = {decode: 'prompt', prefill: 'context'}[w.phase];  // what the phase does not use
  for (const key of ['batch', 'prompt', 'context', 'tokens']) if (w[key] !== undefined && w[key] !== 0 && key !== idle) parts.push(`${key} ${w[key]}`);
  const type = w.dtype;
  if (typeof type === 'string') parts.push([...new Set(type.split('/'))].length === 1 ? type.split('/')[0] : type);
  else if (type && typeof type === 'object') parts.push(Object.values(type).join('/'));
  return parts.join(' · ');
}

const partial = (run) => Boolean(run.result.interrupted || run.result.partial);

function story(run, runs) {
  const s = run.summary;
  const stack = run.result.stall_stack_ns ?? {};
  const booked = (groups[s.booked_most] ?? [s.booked_most]).reduce((sum, c) => sum + (stack[c] ?? 0), 0) / s.time_ns;
  const at_twice = (run.result.whatif ?? []).filter((w) => w.factor === 2);
  const most = at_twice.reduce((g, w) => Math.max(g, w.speedup), 0);
  const whole = runs.filter((r) => !partial(r));
  const fastest = whole.length && whole.reduce((a, b) => ((b.summary.time_per_token_ns ?? b.summary.time_ns) < (a.summary.time_per_token_ns ?? a.summary.time_ns) ? b : a));
  const sentence = [];
  if (typeof s.bound_by === 'string')
    sentence.push('The wall, by simulation: ', h('strong', {}, s.bound_by), most > 1 ? ` (${format.times(most)} as fast with twice of it). ` : '. ');
  if (s.booked_most)
    sentence.push('Most time is booked to ', h('strong', {title: cause_about(s.booked_most)}, cause_label(s.booked_most)),
      booked > 0 ? ` (${format.percent(booked)})` : '', '. ');
  return h('p', {}, sentence, whole.length > 1 && run === fastest ? h('strong', {class: 'badge'}, 'fastest') : null);
}

/** Sign and class of a ratio; what rounds to 1 is neither better nor worse. */
const mark = (ratio) => (Math.abs(ratio - 1) < 0.005 ? ['≈', ''] : ratio > 1 ? ['▲', 'better'] : ['▼', 'worse']);

export function overview(runs) {
  const cards = runs.map((run) => h('article', {class: 'run', 'data-series': run.index},
    h('h3', {}, h('span', {class: 'swatch', 'data-series': run.index, 'aria-hidden': 'true'}), run.label),
    h('p', {class: 'muted'}, [run.result.model, workload_line(run.result)].filter(Boolean).join(' · ')),
    h('dl', {class: 'figures'},
      h('div', {}, h('dt', {}, 'per token'), h('dd', {}, value_node(run, 'summary.time_per_token_ns', format.time))),
      h('div', {}, h('dt', {}, 'tokens/s'), h('dd', {}, value_node(run, 'summary.tokens_per_s', format.number))),
      h('div', {}, h('dt', {}, 'energy per token'), h('dd', {}, value_node(run, 'summary.energy_per_token_pj', format.energy))),
      h('div', {}, h('dt', {}, 'DRAM utilisation'), h('dd', {}, value_node(run, 'summary.dram_utilization', format.percent)))),
    story(run, runs), run.notes.map((n) => h('p', {class: 'warning', role: 'note'}, n)),
    partial(run) && h('p', {class: 'warning', role: 'note'}, 'This run was interrupted: its results are partial and are not compared.')));

  const build = (base) => {
    const body = rows.filter(([path]) => runs.some((r) => at(r.result, path) !== undefined)).map(([path, label, formatter, better]) => {
      const reference = at(base.result, path);
      return h('tr', {}, h('th', {scope: 'row'}, label), runs.map((run) => {
        const value = at(run.result, path);
        const ratio = better && run !== base && !partial(run) && !partial(base) && reference > 0 && value > 0 ? (better === 'low' ? reference / value : value / reference) : undefined;
        return h('td', {class: 'num'}, value_node(run, path, formatter),
          ratio !== undefined && h('span', {class: `ratio ${mark(ratio)[1]}`, title: `${mark(ratio)[1] || 'the same as'}${mark(ratio)[1] && ' than'} ${base.label}`},
            `${mark(ratio)[0]} ${format.times(Math.max(ratio, 1 / ratio))}`));
      }));
    });
    const table = (title, list) => list.length && h('div', {class: 'scroll card', tabindex: 0, role: 'region', 'aria-label': title},
      h('table', {class: 'plain summary'},
        h('caption', {}, title),
        h('thead', {}, h('tr', {}, h('td', {}), runs.map((r) => h('th', {scope: 'col', class: 'num'}, r.label)))),
        h('tbody', {}, list)));
    const split = rows.filter(([path], i) => i < traffic && runs.some((r) => at(r.result, path) !== undefined)).length;
    return [h('div', {class: runs.length > 3 ? '' : 'columns'},
      table(runs.length > 1 ? `Time and energy. ▲ times better, ▼ times worse than ${base.label}.` : 'Time and energy', body.slice(0, split)), table('Work and traffic', body.slice(split)))];
  };
  const place = h('div', {}, build(runs[0]));
  const controls = runs.length > 1 ? h('div', {class: 'controls'}, select('Compare with', runs.map((r) => [r.index, r.label]), 0, (v) => place.replaceChildren(...build(runs[Number(v)])))) : null;
  return [h('div', {class: 'runs'}, cards), controls, place];
}

/** Paints the little squares that tie a run's name to its colour in the charts. */
export function paint_swatches() {
  const dark = theme_of().dark;
  for (const node of document.querySelectorAll('.swatch[data-series]')) node.style.background = series_color(Number(node.dataset.series), dark);
}
