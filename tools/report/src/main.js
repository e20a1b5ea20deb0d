// SPDX-License-Identifier: Apache-2.0
// Puts the page together.
import {energy_card, placement_parts} from './budget.js';
import {draw_queued, redraw_all, set_patterns} from './chart.js';
import {config_parts} from './config.js';
import {load} from './data.js';
import {h} from './dom.js';
import {figures_part} from './figures.js';
import {layer_part} from './layers.js';
import {memory_parts} from './memory.js';
import {overview, paint_swatches, workload_line} from './overview.js';
import {roofline_card} from './roofline.js';
import {series_card} from './series.js';
import {latency_card, load_card, request_card, served_rows, service_parts} from './served.js';
import {stack_cards} from './stacks.js';
import {sweep_sections} from './sweep.js';

const data = load();
const main = document.getElementById('main');
const nav = document.getElementById('sections');
const grids = [];

function section(id, title, parts) {
  const list = parts.flat().filter(Boolean).map((p) => p.element ?? p);
  if (!list.length) return;
  main.append(h('section', {id, 'aria-labelledby': `${id}-heading`}, h('h2', {id: `${id}-heading`, tabindex: -1}, title), list));
  nav.append(h('a', {href: `#${id}`}, title));
}

function title() {
  const {runs, sweeps} = data;
  if (sweeps.length && !runs.length) return `Sweep: ${sweeps.map((s) => s.label).join(', ')}`;
  const models = [...new Set(runs.map((r) => r.result.model).filter(Boolean))];
  const platforms = [...new Set(runs.map((r) => r.result.platform).filter(Boolean))];
  return `${models.join(', ') || 'memwall'} on ${platforms.length > 3 ? `${platforms.length} platforms` : platforms.join(', ') || '?'}`;
}

function theme_buttons() {
  const root = document.documentElement;
  const set = (theme, width) => {
    if (theme) root.dataset.theme = theme;
    else delete root.dataset.theme;
    paint_swatches();
    redraw_all(width);
    for (const g of grids) g.current().paint();
  };
  const dark = () => getComputedStyle(root).getPropertyValue('--scheme').trim() === 'dark';
  const button = h('button', {type: 'button', id: 'theme', onclick: () => set(dark() ? 'light' : 'dark')}, 'Light / dark');
  const pattern = h('button', {type: 'button', id: 'patterns', 'aria-pressed': 'false', title: 'Patterns on the charts besides colours', onclick: () => {
    const on = pattern.getAttribute('aria-pressed') !== 'true';
    pattern.setAttribute('aria-pressed', String(on));
    set_patterns(on);
  }}, 'Patterns');
  document.getElementById('actions').append(pattern, button, h('button', {type: 'button', onclick: () => window.print()}, 'Print'));
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => set(root.dataset.theme));
  // Paper is white: charts take the light colours while the page prints.
  const paper = 900;  // pixels: what A4 and Letter leave between the margins of the style sheet, at its zoom
  let before;
  addEventListener('beforeprint', () => {
    before = root.dataset.theme;
    set('light', paper);
    for (const g of grids) g.current().set_printing(true);
  });
  addEventListener('afterprint', () => {
    for (const g of grids) g.current().set_printing(false);
    set(before);
  });
}

const {runs, sweeps, services} = data;
document.title = `${title()} – memwall`;
document.getElementById('title').textContent = title();
document.getElementById('subtitle').textContent = runs.length ? [...new Set(runs.map((r) => workload_line(r.result)))].join(' | ') : '';
for (const note of data.notes) main.append(h('p', {class: 'warning', role: 'note'}, note));

if (runs.length) {
  section('overview', 'Overview', overview(runs));
  section('service', 'Service', [service_parts(services), served_rows(runs), request_card(runs), load_card(runs), latency_card(runs)]);
  const stacks = stack_cards(runs);
  section('time', 'Time', [stacks]);
  section('roofline-section', 'Roofline', [roofline_card(runs)]);
  section('over-time', 'Over time', [series_card(runs)]);
  section('memory', 'Memory and buses', memory_parts(runs));
  section('placement', 'Capacity', placement_parts(runs));
  section('energy-section', 'Energy', [energy_card(runs)]);
  const layers = layer_part(runs);
  if (layers) {
    grids.push(layers);
    section('layers', 'Operators', [layers]);
  }
}
if (!runs.length) section('service', 'Service', [service_parts(services)]);
for (const part of sweep_sections(sweeps, grids)) section(part.id, part.title, part.parts);
if (runs.length) section('configuration', 'Configuration', [...config_parts(runs), figures_part(runs, data.figures)]);
document.getElementById('version').textContent = data.version ? `memwall ${data.version}` : 'memwall';

theme_buttons();
paint_swatches();
draw_queued().then(() => {
  for (const g of grids) g.current().paint();
  document.documentElement.dataset.ready = String(Math.round(performance.now()));
});
