// SPDX-License-Identifier: Apache-2.0
// Small helpers around the document; nothing here ever parses HTML from data.

/** h('a', {href: '#x', class: 'y', onclick: f}, 'text', node, [nodes]) */
export function h(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith('on')) node.addEventListener(key.slice(2), value);
    else if (key === 'style' && typeof value === 'object') Object.assign(node.style, value);
    else node.setAttribute(key, value === true ? '' : value);
  }
  node.append(...children.flat(3).filter((c) => c !== undefined && c !== null && c !== false));
  return node;
}

/** A labelled drop-down list. `choices` are [value, text]; `on_change` gets the value. */
export function select(label, choices, value, on_change) {
  const control = h('select', {onchange: () => on_change(control.value), 'aria-label': label},
    choices.map(([v, t]) => h('option', {value: v, selected: String(v) === String(value)}, t)));
  return h('label', {class: 'control'}, h('span', {}, label), control);
}

/** Saves `content` (string or Blob) as a file on the reader's machine. */
export function download(name, content, type) {
  const blob = content instanceof Blob ? content : new Blob([content], {type});
  const link = h('a', {href: URL.createObjectURL(blob), download: name});
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

/** Comma-separated text of a table {columns: [text], rows: [[value]]}, RFC 4180. */
export function csv({columns, rows}) {
  const cell = (v) => {
    const s = v === undefined || v === null ? '' : String(v);
    return /[",\n\r]/.test(s) ? `"${s.replace(/"/g, '""')}"` : s;
  };
  return [columns, ...rows].map((row) => row.map(cell).join(',')).join('\r\n') + '\r\n';
}

/** A plain table {columns, rows}; cells may be nodes. */
export function table({columns, rows}, {caption, class: name = 'plain', limit = 500} = {}) {
  const shown = rows.slice(0, limit);
  return h('div', {class: 'scroll', tabindex: 0, role: 'region', 'aria-label': caption || 'table'},
    h('table', {class: name},
      caption && h('caption', {class: 'hidden'}, caption),
      h('thead', {}, h('tr', {}, columns.map((c) => h('th', {scope: 'col'}, c)))),
      h('tbody', {}, shown.map((row) => h('tr', {}, row.map((c, i) =>
        h(i === 0 ? 'th' : 'td', i === 0 ? {scope: 'row'} : {class: typeof c === 'number' ? 'num' : undefined},
          c instanceof Node ? c : c === undefined || c === null ? '–' : String(c))))))),
    rows.length > limit && h('p', {class: 'note'}, `The first ${limit} of ${rows.length.toLocaleString('en-US')} rows; the CSV has all.`));
}

/** Says something to screen readers. */
export function announce(message) {
  const area = document.getElementById('announce');
  if (area) area.textContent = message;
}
