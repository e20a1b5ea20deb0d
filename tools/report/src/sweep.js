// SPDX-License-Identifier: Apache-2.0
// The sections of a sweep: what was swept, the Pareto front, sensitivities, maps, lines and crossovers, and all points.
import {flatten} from './config.js';
import {h, table} from './dom.js';
import * as format from './format.js';
import {grid} from './grid.js';
import {cause_label} from './palette.js';
import {sweep_points} from './sweep_data.js';
import {crossover_card, heat_card, line_card, parallel_card, pareto_card, tornado_card} from './sweep_charts.js';

const show = (name) => (name === 'booked_most' ? cause_label : format.for_key(name));

function intro(s) {
  const raw = s.raw;
  const statuses = Object.entries(raw.statuses ?? {}).sort((a, b) => Number(b[0] === 'ok') - Number(a[0] === 'ok') || b[1] - a[1]);
  const bad = statuses.filter(([k]) => k !== 'ok');
  const notes = [];
  if (raw.shown < raw.points) notes.push(`${format.count(raw.shown)} of ${format.count(raw.points)} points are in this page, evenly sampled: the best points and the front here are those of the sample. results.csv and sweep.sqlite have all.`);
  if (raw.digits < 17) notes.push(`Numbers have ${raw.digits} significant digits here; results.csv has all of them.`);
  const messages = new Map();
  for (let i = 0; i < s.size; ++i) {
    if (s.status(i) === 'ok') continue;
    const text = `${s.status(i)}: ${s.by_name.get('message')?.value(i) ?? ''}`;
    const entry = messages.get(text) ?? {count: 0, point: s.number(i)};
    ++entry.count;
    messages.set(text, entry);
  }
  const best = s.objectives.filter((o) => o.judged).slice(0, 8).map((o) => {
    const at = s.combine(s.good.filter((i) => o.value(i) !== null), o, 'best').point;
    return [o.name, o.small ? 'least' : 'most', at >= 0 ? show(o.name)(o.value(at)) : '–', at >= 0 ? `point ${s.number(at)}` : '–', at >= 0 ? s.axes.filter((a) => (a.column.value(at) ?? '') !== '').map((a) => `${a.name} = ${a.column.value(at)}`).join(', ') : '–'];
  });
  return [
    ...notes.map((n) => h('p', {class: 'warning', role: 'note'}, n)),
    h('div', {class: 'columns'},
      h('div', {class: 'card'}, h('h3', {}, 'Points'),
        h('dl', {class: 'figures'}, h('div', {}, h('dt', {}, 'in all'), h('dd', {'data-value': raw.points, class: 'points'}, format.count(raw.points))),
          statuses.map(([k, n]) => h('div', {}, h('dt', {}, k.replaceAll('_', ' ')), h('dd', {}, format.count(n))))),
        bad.length > 0 && table({columns: ['what went wrong', 'points', 'first'], rows: [...messages].sort((a, b) => b[1].count - a[1].count).map(([t, e]) => [t, e.count, e.point])}, {caption: 'Points without a result', limit: 20})),
      h('div', {class: 'card'}, h('h3', {}, 'Axes'), table({columns: ['axis', 'values', ''],
        rows: s.axes.map((a) => [a.name, a.binned ? 'continuous' : a.levels.length, a.binned ? `${a.levels[0].label.split(' … ')[0]} to ${a.levels[a.levels.length - 1].label.split(' … ')[1]}` : a.levels.map((l) => l.label).join(', ')])}, {caption: 'Axes', class: 'plain wrap'}))),
    h('div', {class: 'card'}, h('h3', {}, 'Best points'), table({columns: ['objective', '', 'value', 'point', 'where'], rows: best}, {caption: 'Best points', class: 'plain wrap'})),
  ];
}

/** RFC 7396: what a patch makes of a configuration. */
function patched(base, patch) {
  if (patch === null || typeof patch !== 'object' || Array.isArray(patch)) return patch;
  const out = base && typeof base === 'object' && !Array.isArray(base) ? {...base} : {};
  for (const [k, v] of Object.entries(patch))
    if (v === null) delete out[k];
    else out[k] = patched(out[k], v);
  return out;
}
/** The resolved configuration of a point, when the page carries it. */
function config_of(s, i) {
  const c = s.raw.configs;
  const k = c?.of?.[i];
  if (k === undefined || k === null) return null;
  return c.patch[i] === null ? c.whole[k] : patched(c.whole[k], c.patches[c.patch[i]]);
}

/** All points as a table; returns the grid and open(i), which shows a point's configuration and command. */
function point_table(s, id) {
  const on_front = new Set(s.pair.length > 1 ? s.front(...s.pair) : []);
  const shown = ['time_per_token_ns', 'time_ns', 'tokens_per_s', 'energy_per_token_pj', 'energy_pj', 'dram_utilization', 'area_mm2', 'cost_usd', 'accuracy', 'bound_by', 'booked_most']
    .map((n) => s.by_name.get(`summary.${n}`)).filter((c) => c && !('constant' in c.packed)).slice(0, 7);
  const others = s.columns.filter((c) => c.name !== 'command' && c.name !== 'message');
  const detail = (i) => {
    const command = s.command(i);
    const status = s.status(i);
    return h('div', {},
      h('h4', {}, `Point ${s.number(i)}${status === 'ok' ? '' : ` (${status})`}`),
      s.by_name.get('message')?.value(i) ? h('p', {class: 'warning'}, String(s.by_name.get('message').value(i))) : null,
      command && h('p', {class: 'note'}, 'Run it again, alone:'),
      command && h('pre', {class: 'command', tabindex: 0}, h('code', {}, command)),
      command && h('button', {type: 'button', class: 'small', onclick: () => navigator.clipboard?.writeText(command)}, 'Copy the command'),
      config_of(s, i) && h('details', {}, h('summary', {}, 'Its whole resolved configuration'),
        table({columns: ['setting', 'value'], rows: flatten(config_of(s, i)).map(([k, v]) => [k, format.text(v)])}, {caption: 'Resolved configuration', class: 'plain config', limit: 5000})),
      h('p', {class: 'note'}, config_of(s, i) ? 'From the database: ' : 'Its whole resolved configuration: '),
      h('pre', {class: 'command', tabindex: 0}, h('code', {}, `sqlite3 ${s.raw.label}/sweep.sqlite "SELECT config FROM point_configs WHERE point = ${s.number(i)}"`)),
      h('dl', {class: 'facts'}, others.map((c) => [h('dt', {}, c.name), h('dd', {title: String(c.value(i) ?? '')}, c.name.startsWith('summary.') ? show(c.name.slice(8))(c.value(i)) : format.text(c.value(i)))])));
  };
  const g = new grid({
    id, title: 'Points', size: s.size, sort: ['point', false], detail,
    note: `Click a row, or press Enter on it, for its settings and the command that runs it again. “front” marks the Pareto front of ${s.pair.map((o) => o.name).join(' and ')}.`,
    search: (i) => `${s.number(i)} ${s.status(i)} ${s.axes.map((a) => `${a.name}=${a.column.value(i)}`).join(' ')} ${on_front.has(i) ? 'front' : ''} ${s.by_name.get('summary.bound_by')?.value(i) ?? ''}`,
    columns: [
      {key: 'point', label: 'Point', numeric: true, value: (i) => s.number(i), cell: (i) => String(s.number(i))},
      {key: 'status', label: 'Status', value: (i) => s.status(i), cell: (i) => s.status(i)},
      ...s.axes.map((a) => ({key: a.column.name, label: a.name, numeric: a.ordered, value: (i) => a.place.get(a.column.value(i)) ?? null, cell: (i) => format.text(a.column.value(i))})),
      ...shown.map((c) => ({key: c.name, label: c.name.slice(8), numeric: c.numeric, value: (i) => c.value(i), cell: (i) => show(c.name.slice(8))(c.value(i))})),
      {key: 'front', label: 'Front', value: (i) => (on_front.has(i) ? 'front' : ''), cell: (i) => (on_front.has(i) ? 'front' : '')},
    ],
  });
  const open = (i) => {
    g.detail.replaceChildren(detail(i));
    g.detail.scrollIntoView({block: 'center', behavior: matchMedia('(prefers-reduced-motion: reduce)').matches ? 'auto' : 'smooth'});
  };
  return {g, open};
}

/** Sections for main.js: [{id, title, parts}]. */
export function sweep_sections(sweeps, grids) {
  return sweeps.flatMap((raw, index) => {
    const s = new sweep_points(raw);
    const id = (name) => (index ? `${name}-${index + 1}` : name);
    const title = (name) => (sweeps.length > 1 ? `${name}: ${raw.label}` : name);
    const points = point_table(s, id('points-table'));
    grids.push({current: () => points.g});
    const enough = s.good.length > 0 && s.objectives.length > 0;
    return [
      {id: id('sweep'), title: title('Sweep'), parts: intro(s)},
      ...(enough ? [
        {id: id('front-section'), title: title('Pareto front'), parts: [s.objectives.length > 1 && pareto_card(s, id, points.open)]},
        {id: id('sensitivity-section'), title: title('What matters'), parts: [tornado_card(s, id)]},
        {id: id('maps-section'), title: title('Maps'), parts: [s.axes.length > 1 && heat_card(s, id, points.open), s.axes.length > 1 && crossover_card(s, id)]},
        {id: id('lines-section'), title: title('Lines'), parts: [line_card(s, id)]},
        {id: id('parallel-section'), title: title('All axes at once'), parts: [s.axes.length > 0 && parallel_card(s, id, points.open)]},
      ] : []),
      {id: id('points-section'), title: title('Points'), parts: [points.g]},
    ];
  });
}
