// SPDX-License-Identifier: Apache-2.0
// The resolved configuration of every run, beside each other, and where the results come from.
import {h} from './dom.js';
import * as format from './format.js';

/** {a: {b: 1}} -> [['a.b', 1]] */
export function flatten(value, path = '', out = []) {
  if (Array.isArray(value) && value.every((v) => v === null || typeof v !== 'object')) out.push([path, value.join(', ')]);
  else if (value !== null && typeof value === 'object')
    for (const [k, v] of Object.entries(value)) flatten(v, path ? `${path}.${k}` : k, out);
  else out.push([path, value]);
  return out;
}

export function config_parts(runs) {
  const with_config = runs.filter((r) => r.result.config && Object.keys(r.result.config).length);
  const parts = [];
  if (with_config.length) {
    const maps = with_config.map((r) => new Map(flatten(r.result.config)));
    const keys = [...new Set(maps.flatMap((m) => [...m.keys()]))];
    const body = h('tbody', {});
    const count = h('span', {class: 'muted', role: 'status'});
    const search = h('input', {type: 'search', placeholder: 'Search…', 'aria-label': 'Search the configuration', oninput: () => fill()});
    const differ = h('input', {type: 'checkbox', id: 'config-differ', onchange: () => fill()});
    const fill = () => {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      const rows = keys.filter((k) => {
        const values = maps.map((m) => m.get(k));
        if (differ.checked && values.every((v) => v === values[0])) return false;
        const text = `${k} ${values.join(' ')}`.toLowerCase();
        return words.every((w) => text.includes(w));
      });
      body.replaceChildren(...rows.map((k) => {
        const values = maps.map((m) => m.get(k));
        const same = values.every((v) => v === values[0]);
        return h('tr', {class: same ? undefined : 'differs'}, h('th', {scope: 'row'}, h('code', {}, k)), values.map((v) => h('td', {}, format.text(v))));
      }));
      count.textContent = `${rows.length} of ${keys.length} settings`;
    };
    fill();
    parts.push(h('details', {class: 'card', open: keys.length <= 40}, h('summary', {}, h('h3', {}, 'Resolved configuration')),
      h('p', {class: 'note'}, 'Defaults, preset, file and --set together: running from these settings gives the same result again.'),
      h('div', {class: 'controls'}, h('label', {class: 'control'}, h('span', {}, 'Search'), search),
        with_config.length > 1 && h('label', {class: 'control', for: 'config-differ'}, differ, h('span', {}, 'only what differs')), count),
      h('div', {class: 'scroll tall', tabindex: 0, role: 'region', 'aria-label': 'Resolved configuration'},
        h('table', {class: 'plain config'}, h('thead', {}, h('tr', {}, h('th', {scope: 'col'}, 'setting'), with_config.map((r) => h('th', {scope: 'col'}, r.label)))), body))));
  }
  const readable = (k, v) => (v === undefined || v === null || v === '' ? '–' : typeof v === 'number' && k.startsWith('host.') ? format.number(v) : String(v));
  const facts = runs.map((run) => {
    const r = run.result;
    return new Map([['schema', r.schema], ['memwall', r.memwall_version], ['platform', r.platform], ...(r.badge ? [['checked', r.badge.text]] : []), ['model', r.model], ['seed', r.seed],
      ...flatten(r.fidelity ?? {}, 'fidelity'), ...flatten(r.workload ?? {}, 'workload'), ...flatten(r.provenance ?? {}, 'provenance'), ...flatten(r.host ?? {}, 'host')]);
  });
  const keys = [...new Set(facts.flatMap((f) => [...f.keys()]))].filter((k) => facts.some((f) => readable(k, f.get(k)) !== '–'));
  parts.push(h('div', {class: 'card'}, h('h3', {}, 'Provenance'), h('div', {class: 'scroll all', tabindex: 0, role: 'region', 'aria-label': 'Provenance'},
    h('table', {class: 'plain config provenance'}, h('thead', {}, h('tr', {}, h('th', {scope: 'col'}, ''), runs.map((r) => h('th', {scope: 'col'}, r.label)))),
      h('tbody', {}, keys.map((k) => h('tr', {}, h('th', {scope: 'row'}, k), facts.map((f) => h('td', {}, k === 'provenance.command' && f.get(k) ? h('code', {}, String(f.get(k))) : readable(k, f.get(k)))))))))));
  return parts;
}
