// SPDX-License-Identifier: Apache-2.0
// Colours that stay apart for colour-blind readers: the hues of Okabe and Ito (2008), one hue a family of causes, and
// steps of lightness inside a family. Nothing on the page is told by colour alone: legends, labels and tooltips repeat it.

const causes = [
  // name, what a reader sees, light theme, dark theme, explanation
  ['compute', 'Compute', '#009E73', '#12b98a', 'arithmetic of a core or vector unit'],
  ['launch', 'Launch', '#8b95a0', '#8e98a3', 'kernel launch: front end, fill and drain of the core'],
  ['host', 'Host', '#5d6670', '#aab3bd', 'the runtime on the host: scheduling, sampling, synchronisation, copies between cores'],
  ['all_reduce', 'All-reduce', '#7a5c3a', '#b48a5a', "an all-reduce's start, handshakes, steps and pace; its bytes on the wire are on the link"],
  ['core_requests', 'Core requests', '#3b4048', '#c6cdd6', "the core's own limit of outstanding requests or fill bandwidth"],
  ['bus_wait', 'Bus: waiting', '#B84A00', '#D55E00', 'waiting for the bus to be granted'],
  ['bus_transfer', 'Bus: transfer', '#E69F00', '#f0ad1e', 'beats on the bus'],
  ['link', 'Link', '#b5a300', '#F0E442', 'latency, waiting and bytes on a point-to-point link'],
  ['page_fault', 'Page faults', '#6b5d00', '#a89a3c', 'handling of page faults by a driver; the copies are on the link'],
  ['dram_queue', 'DRAM: queue', '#08406e', '#3f6ea6', 'behind other requests, or for room in the controller'],
  ['dram_data', 'DRAM: data', '#0072B2', '#1f8fd4', 'data beats of the channel'],
  ['dram_latency', 'DRAM: latency', '#56B4E9', '#7cc8f2', 'CAS latency and controller pipeline'],
  ['dram_row_miss', 'DRAM: row miss', '#2f6fb0', '#5a96d6', 'activating a closed bank'],
  ['dram_row_conflict', 'DRAM: row conflict', '#9cccf0', '#b6dcf7', 'precharge and activate: another row was open'],
  ['dram_bank_group', 'DRAM: bank group', '#1d5a8c', '#4a84b8', 'next burst in the same bank group'],
  ['dram_activate', 'DRAM: activation limit', '#7aa9d4', '#96bfe4', 'too many activations (tRRD, tFAW)'],
  ['dram_refresh', 'DRAM: refresh', '#3f97c9', '#64b2de', 'refresh'],
  ['dram_turnaround', 'DRAM: turnaround', '#bcdcf2', '#d0e8f8', 'read/write or rank-to-rank turnaround'],
  ['cim_input', 'CIM: input', '#e3aac9', '#f0bfd9', 'input vectors into the drivers of the macros'],
  ['cim_array', 'CIM: array', '#CC79A7', '#dd8fba', 'array read and settling'],
  ['cim_adc', 'CIM: ADC', '#882255', '#b8487f', 'analog-to-digital conversion'],
  ['cim_digital', 'CIM: digital', '#a8588a', '#c474a6', 'shift-add and accumulation of partial sums'],
  ['cim_program', 'CIM: programming', '#5b1a45', '#93437a', 'writing weights into macros'],
  ['dependency', 'Dependency', '#b9b9b9', '#6b7078', 'waiting for another operator'],
  ['idle', 'Idle', '#dedede', '#454a52', 'nothing to do'],
];
// Families of causes, as booked_most names them: the colour of their main cause.
const families = [
  ['memory', 'Memory', 'dram_data', 'all that the DRAM takes: data beats, rows, refresh, turnaround, queueing'],
  ['bus', 'Bus', 'bus_transfer', 'waiting for the bus and beats on it'],
  ['paging', 'Paging', 'page_fault', 'handling of page faults'],
  ['cim_compute', 'CIM compute', 'cim_array', 'input, array, conversion and accumulation in the macros'],
];
/** The causes of a family. */
export const groups = {
  memory: causes.map((c) => c[0]).filter((c) => c.startsWith('dram_')),
  bus: ['bus_wait', 'bus_transfer'],
  paging: ['page_fault'],
  cim_compute: ['cim_input', 'cim_array', 'cim_adc', 'cim_digital'],
};
const by_name = new Map(causes.map((c, i) => [c[0], {order: i, label: c[1], light: c[2], dark: c[3], about: c[4]}]));

for (const [name, label, like, about] of families) by_name.set(name, {...by_name.get(like), label, about});

export const cause_label = (name) => by_name.get(name)?.label ?? String(name).replaceAll('_', ' ');
export const cause_about = (name) => by_name.get(name)?.about ?? '';
export const cause_order = (name) => by_name.get(name)?.order ?? 99;
export const cause_color = (name, dark) => by_name.get(name)?.[dark ? 'dark' : 'light'] ?? '#999999';

const series_light = ['#0072B2', '#D55E00', '#009E73', '#CC79A7', '#B58900', '#56B4E9', '#882255', '#5f6770'];
const series_dark = ['#56B4E9', '#F08A3C', '#2cc79b', '#dd8fba', '#F0E442', '#1f8fd4', '#c05a92', '#a6afb8'];
export const series_color = (i, dark) => (dark ? series_dark : series_light)[i % series_light.length];
const symbols = ['circle', 'triangle', 'diamond', 'rect', 'roundRect', 'pin'];
export const series_symbol = (i) => symbols[i % symbols.length];
const dashes = ['solid', 'dashed', 'dotted'];
export const series_dash = (i) => dashes[Math.floor(i / series_light.length) % dashes.length];

/** Perceptually even ramps that keep their order in grey print (after the "cividis" idea: blue to yellow). */
export const ramp = ['#00224e', '#2a3f6d', '#575c6d', '#7d7c78', '#a59c74', '#d2c060', '#fee838'];

/** The same for thin lines, which must be seen on the page's background, too. */
export const line_ramp = (dark) => (dark ? ['#5b86d6', '#7d93b8', '#98a09a', '#b3a56f', '#d8c45a', '#fee838'] : ['#00224e', '#2a3f6d', '#575c6d', '#7d7c78', '#a08f4a', '#b39400', '#c79f00']);

/** Kinds of data that fill a memory. */
export const class_color = (name, dark) => ({
  weights: dark ? '#1f8fd4' : '#0072B2', kv_cache: dark ? '#f0ad1e' : '#E69F00', activations: dark ? '#12b98a' : '#009E73',
  free: dark ? '#30353c' : '#e9ecef',
}[name] ?? '#999999');
