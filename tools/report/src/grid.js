// SPDX-License-Identifier: Apache-2.0
// A table for thousands of rows: only the rows in sight exist in the document. Sortable, searchable, by mouse and keyboard.
import {announce, csv, download, h} from './dom.js';

const row_height = 30;

/**
 * spec: {id, title, note, size, columns: [{key, label, title, numeric, value(i), cell(i)}], search(i) -> text, detail(i) -> node,
 *        sort: [key, descending], controls, filter(i) -> bool}
 */
export class grid {
  constructor(spec) {
    this.spec = spec;
    this.order = Array.from({length: spec.size}, (_, i) => i);
    [this.sort_key, this.descending] = spec.sort ?? [spec.columns[0].key, false];
    this.active = -1;
    this.body = h('tbody', {});
    this.count = h('span', {class: 'muted', id: `${spec.id}-count`, role: 'status'});
    this.search = h('input', {type: 'search', id: `${spec.id}-search`, placeholder: 'Search…', 'aria-label': `Search ${spec.title}`, oninput: () => this.refresh()});
    this.heads = spec.columns.map((c) => h('th', {scope: 'col', class: c.numeric ? 'num' : undefined, title: c.title},
      h('button', {type: 'button', class: 'sort', 'data-key': c.key, onclick: () => this.sort_by(c.key)}, c.label)));
    this.frame = h('div', {class: 'grid-frame', tabindex: 0, role: 'region', 'aria-label': `${spec.title}: arrow keys move, Enter opens a row`,
      onscroll: () => this.paint(), onkeydown: (e) => this.key(e)},
    h('table', {class: 'grid', 'aria-rowcount': spec.size + 1, 'aria-describedby': this.count.id}, h('thead', {}, h('tr', {}, this.heads)), this.body));
    this.detail = h('div', {class: 'detail', 'aria-live': 'polite'});
    this.element = h('div', {class: 'card', id: spec.id},
      h('div', {class: 'caption'}, h('h3', {}, spec.title),
        h('div', {class: 'tools'}, h('button', {type: 'button', class: 'small', title: 'Save the rows that match', onclick: () => download(`${spec.id}.csv`, this.csv(), 'text/csv')}, 'CSV'))),
      spec.note && h('p', {class: 'note'}, spec.note),
      h('div', {class: 'controls'}, spec.controls ?? [], h('label', {class: 'control'}, h('span', {}, 'Search'), this.search), this.count),
      this.frame, h('p', {class: 'note print-only'}, 'Paper holds the first 60 rows in this order; the CSV has all.'), this.detail);
    this.print_all = false;
    this.refresh();
  }
  sort_by(key) {
    const numeric = this.spec.columns.find((c) => c.key === key).numeric;
    this.descending = this.sort_key === key ? !this.descending : Boolean(numeric);
    this.sort_key = key;
    this.refresh();
    announce(`Sorted by ${key}, ${this.descending ? 'largest first' : 'smallest first'}`);
  }
  refresh() {
    const {size, columns, search, filter} = this.spec;
    const words = this.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const rows = [];
    for (let i = 0; i < size; ++i) {
      if (filter && !filter(i)) continue;
      if (words.length) {
        const text = search(i).toLowerCase();
        if (!words.every((w) => text.includes(w))) continue;
      }
      rows.push(i);
    }
    const column = columns.find((c) => c.key === this.sort_key);
    const values = new Map(rows.map((i) => [i, column.value(i)]));
    const sign = this.descending ? -1 : 1;
    rows.sort((a, b) => {
      const x = values.get(a);
      const y = values.get(b);
      if (x === y) return a - b;
      if (x === undefined || x === null || Number.isNaN(x)) return 1;
      if (y === undefined || y === null || Number.isNaN(y)) return -1;
      return sign * (typeof x === 'number' && typeof y === 'number' ? x - y : String(x).localeCompare(String(y), 'en', {numeric: true}));
    });
    this.order = rows;
    this.active = -1;
    this.heads.forEach((head, k) => head.setAttribute('aria-sort', columns[k].key === this.sort_key ? (this.descending ? 'descending' : 'ascending') : 'none'));
    this.count.textContent = `${rows.length.toLocaleString('en-US')} of ${size.toLocaleString('en-US')} rows`;
    this.frame.scrollTop = 0;
    this.paint();
  }
  paint() {
    const n = this.order.length;
    const height = this.frame.clientHeight || 480;
    const first = this.print_all ? 0 : Math.max(0, Math.min(n, Math.floor(this.frame.scrollTop / row_height)) - 8);
    const last = this.print_all ? Math.min(n, 60) : Math.min(n, first + Math.ceil(height / row_height) + 16);
    const columns = this.spec.columns;
    const gap = (rows) => h('tr', {class: 'gap', 'aria-hidden': 'true', style: {height: `${rows * row_height}px`}}, h('td', {colspan: columns.length}));
    const made = [];
    if (first > 0) made.push(gap(first));
    for (let k = first; k < last; ++k) {
      const i = this.order[k];
      made.push(h('tr', {'data-row': i, 'aria-rowindex': k + 2, class: k === this.active ? 'active' : undefined, onclick: () => { this.active = k; this.open(); }},
        columns.map((c) => {
          const cell = c.cell(i);
          const value = c.value(i);
          return h('td', {class: c.numeric ? 'num' : undefined, 'data-key': c.key, 'data-value': typeof value === 'number' ? String(value) : undefined, title: cell instanceof Node ? undefined : String(value ?? '')}, cell);
        })));
    }
    if (last < n && !this.print_all) made.push(gap(n - last));
    this.body.replaceChildren(...made);
  }
  key(event) {
    if (event.target !== this.frame) return;
    const page = Math.max(1, Math.floor(this.frame.clientHeight / row_height) - 2);
    const step = {ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -1e9, End: 1e9}[event.key];
    if (step !== undefined) {
      event.preventDefault();
      this.active = Math.max(0, Math.min(this.order.length - 1, this.active + step));
      const top = this.active * row_height;
      if (top < this.frame.scrollTop) this.frame.scrollTop = top;
      if (top + 2 * row_height > this.frame.scrollTop + this.frame.clientHeight) this.frame.scrollTop = top + 3 * row_height - this.frame.clientHeight;
      this.paint();
      if (this.active >= 0) announce(this.spec.search(this.order[this.active]));
    } else if (event.key === 'Enter' && this.active >= 0) this.open();
    else if (event.key === 'Escape') this.detail.replaceChildren();
  }
  open() {
    this.paint();
    if (this.spec.detail && this.active >= 0) this.detail.replaceChildren(this.spec.detail(this.order[this.active]));
  }
  csv() {
    const columns = this.spec.columns.filter((c) => !c.picture);
    return csv({columns: columns.map((c) => c.key), rows: this.order.map((i) => columns.map((c) => c.value(i)))});
  }
  set_printing(on) {
    this.print_all = on;
    this.paint();
  }
}
