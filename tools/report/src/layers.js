// SPDX-License-Identifier: Apache-2.0
// The table of all operators.
import {theme_of} from './chart.js';
import {h, select} from './dom.js';
import * as format from './format.js';
import {grid} from './grid.js';
import {cause_about, cause_color, cause_label, cause_order} from './palette.js';

/** A small stall stack drawn with plain boxes, so that thousands of rows stay cheap. */
function mini(layers, i, dark) {
  const total = layers.duration(i) || 1;
  const stack = layers.stack(i).sort((a, b) => cause_order(a[0]) - cause_order(b[0]));
  return h('div', {class: 'mini', role: 'img', 'aria-label': stack.map(([c, ns]) => `${cause_label(c)} ${format.percent(ns / total)}`).join(', '),
    title: stack.map(([c, ns]) => `${cause_label(c)} ${format.time(ns)} (${format.percent(ns / total)})`).join('\n')},
  stack.map(([c, ns]) => h('i', {style: {width: `${(100 * ns) / total}%`, background: cause_color(c, dark)}})));
}

function detail(run, i) {
  const l = run.layers;
  const c = l.column;
  const fact = (name, value) => [h('dt', {}, name), h('dd', {}, value)];
  return h('div', {},
    h('h4', {}, c.name[i]),
    h('dl', {class: 'facts'},
      fact('kind', c.kind[i]), fact('executor', format.text(c.executor[i])), fact('start', `${format.time(c.start_ns[i])} (${c.start_ns[i]} ns)`),
      fact('time', `${format.time(l.duration(i))} (${c.start_ns[i]} to ${c.end_ns[i]} ns)`), fact('arithmetic', format.flops(c.flops[i])),
      fact('weights', format.bytes(c.weights[i])), fact('KV cache', format.bytes(c.kv_cache[i])), fact('activations', format.bytes(c.activations[i])), fact('DRAM traffic', format.bytes(c.dram_bytes[i]))),
    h('table', {class: 'plain'}, h('thead', {}, h('tr', {}, ['cause', 'time', 'share', 'what it is'].map((x) => h('th', {scope: 'col'}, x)))),
      h('tbody', {}, l.stack(i).map(([cause, ns]) => h('tr', {}, h('th', {scope: 'row'}, cause_label(cause)), h('td', {class: 'num', 'data-value': ns}, format.time(ns)),
        h('td', {class: 'num'}, format.percent(ns / (l.duration(i) || 1))), h('td', {}, cause_about(cause)))))));
}

/** Returns {element, current()} or null; the shown run can be chosen. */
export function layer_part(runs) {
  const shown = runs.filter((r) => r.layers.size > 0);
  if (!shown.length) return null;
  const place = h('div', {});
  let current;
  let kind = '';
  const build = (index) => {
    const run = runs[index];
    const l = run.layers;
    const c = l.column;
    const total = run.summary.time_ns || 1;
    const column = (key, label, show, more = {}) => ({key, label, numeric: true, value: (i) => c[key][i], cell: (i) => show(c[key][i]), ...more});
    const text = (key, label, show = (x) => x) => ({key, label, value: (i) => c[key][i], cell: (i) => show(c[key][i])});
    const many_tokens = new Set(c.token).size > 1;
    const kinds = [...new Set(c.kind)].sort();
    const draw_dark = () => theme_of().dark;
    current = new grid({
      id: 'layers-table', title: 'Operators', size: l.size, sort: ['start_ns', false],
      note: l.total > l.size ? `The ${format.count(l.size)} longest of ${format.count(l.total)} operators (${format.percent(l.shown_fraction)} of the operators' time); layers.csv has all.` : 'Click a row, or press Enter on it, for its whole stall stack.',
      controls: [
        shown.length > 1 && select('Run', shown.map((r) => [r.index, r.label]), index, (v) => { kind = ''; build(Number(v)); }),
        select('Kind', [['', 'all'], ...kinds.map((k) => [k, k])], kind, (v) => { kind = v; current.refresh(); }),
      ].filter(Boolean),
      filter: (i) => !kind || c.kind[i] === kind,
      search: (i) => `${c.name[i]} ${c.kind[i]} ${c.executor[i]} ${c.booked_most[i]} ${cause_label(c.booked_most[i])}`,
      detail: (i) => detail(run, i),
      columns: [
        text('name', 'Operator'), text('kind', 'Kind'), column('layer', 'Layer', (x) => (x < 0 ? '–' : String(x))),
        ...(many_tokens ? [column('token', 'Token', String)] : []),
        text('executor', 'Executor'), column('start_ns', 'Start', format.time),
        {key: 'time_ns', label: 'Time', numeric: true, value: (i) => l.duration(i), cell: (i) => format.time(l.duration(i))},
        {key: 'share', label: 'Share', title: 'of the time of the run', numeric: true, value: (i) => l.duration(i) / total, cell: (i) => format.percent(l.duration(i) / total)},
        {...text('booked_most', 'Most time booked to', cause_label)},
        {key: 'stack', label: 'Stall stack', picture: true, value: (i) => c.booked_most[i], cell: (i) => mini(l, i, draw_dark())},
        column('flops', 'Arithmetic', format.flops),
        {key: 'bytes', label: 'Operands', title: 'weights, KV cache and activations', numeric: true, value: (i) => l.bytes(i), cell: (i) => format.bytes(l.bytes(i))},
        column('dram_bytes', 'DRAM', format.bytes, {title: 'bytes moved from and to DRAM'}),
        {key: 'gbps', label: 'Rate', title: 'operand bytes over time', numeric: true, value: (i) => (l.duration(i) > 0 ? l.bytes(i) / l.duration(i) : 0), cell: (i) => format.gbps(l.duration(i) > 0 ? l.bytes(i) / l.duration(i) : 0)},
      ],
    });
    place.replaceChildren(current.element);
    current.paint();
  };
  build(shown[0].index);
  return {element: place, current: () => current};
}
