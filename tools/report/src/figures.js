// SPDX-License-Identifier: Apache-2.0
// Every figure that the results hold, as memwall declares it: name, unit, meaning. Nothing here names one.
import {h} from './dom.js';
import * as format from './format.js';

/** Values at a declared path: `[]` stands for every element of a list, `*` for every key. [[name, value]] */
export function values_at(value, parts, name = '') {
  if (value === undefined || value === null) return [];
  if (!parts.length) return typeof value === 'number' ? [[name, value]] : [];
  const [first, ...rest] = parts;
  const join = (k) => (name ? `${name}.${k}` : k);
  if (first === '*') return typeof value === 'object' ? Object.entries(value).flatMap(([k, v]) => values_at(v, rest, join(k))) : [];
  if (!first.endsWith('[]')) return values_at(value[first], rest, join(first));
  const list = value[first.slice(0, -2)];
  if (!Array.isArray(list)) return [];
  return list.flatMap((v, i) => values_at(v, rest, join(`${first.slice(0, -2)}[${v?.name ?? v?.kind ?? i}]`)));
}

// Lists that have tables or charts of their own, row by row.
const elsewhere = /^(layers|by_layer|series|roofline|bounds|whatif|whatif_pairs|host|placement)\b/;

/** One row a figure: {name, unit, doc, values by run}. */
export function figure_rows(runs, declared) {
  const rows = new Map();
  for (const f of declared.filter((d) => !elsewhere.test(d.path)))
    runs.forEach((run, i) => {
      for (const [name, value] of values_at(run.result, f.path.split('.'))) {
        if (!rows.has(name)) rows.set(name, {name, unit: f.unit, doc: f.doc, values: []});
        rows.get(name).values[i] = value;
      }
    });
  return [...rows.values()];
}

export function figures_part(runs, declared) {
  if (!declared.length) return null;
  const body = h('tbody', {});
  const count = h('span', {class: 'muted', role: 'status'});
  const search = h('input', {type: 'search', placeholder: 'Search…', 'aria-label': 'Search the figures', oninput: () => fill()});
  let rows;
  const fill = () => {
    rows ??= figure_rows(runs, declared);
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const shown = rows.filter((r) => words.every((w) => `${r.name} ${r.unit} ${r.doc}`.toLowerCase().includes(w)));
    body.replaceChildren(...shown.map((r) => h('tr', {}, h('th', {scope: 'row', title: r.doc}, h('code', {}, r.name)),
      runs.map((_, i) => h('td', {class: 'num'}, format.number(r.values[i]))), h('td', {}, r.unit === '1' ? '' : r.unit), h('td', {}, r.doc))));
    count.textContent = `${shown.length} of ${rows.length} figures`;
  };
  return h('details', {class: 'card', id: 'figures', ontoggle: (e) => { if (e.target.open && !rows) fill(); }}, h('summary', {}, h('h3', {}, 'Every figure')),
    h('p', {class: 'note'}, 'As result.json has them, and as memwall describe result explains them.'),
    h('div', {class: 'controls'}, h('label', {class: 'control'}, h('span', {}, 'Search'), search), count),
    h('div', {class: 'scroll tall', tabindex: 0, role: 'region', 'aria-label': 'Every figure'},
      h('table', {class: 'plain config'}, h('thead', {}, h('tr', {}, h('th', {scope: 'col'}, 'figure'), runs.map((r) => h('th', {scope: 'col', class: 'num'}, r.label)),
        h('th', {scope: 'col'}, 'unit'), h('th', {scope: 'col'}, 'meaning'))), body)));
}
