// SPDX-License-Identifier: Apache-2.0
// Numbers as people read them. Every formatter takes the unit that result.json uses.

const missing = '–';

/** Four significant digits, without exponent where a plain number is as short. */
export function digits(x, n = 4) {
  if (x === 0) return '0';
  const a = Math.abs(x);
  if (a >= 1e6 || a < 1e-4) return x.toExponential(n - 1).replace(/\.?0+e/, 'e').replace('e+', 'e');
  const fixed = x.toFixed(Math.max(0, Math.min(8, n - 1 - Math.floor(Math.log10(a)))));
  return fixed.includes('.') ? fixed.replace(/\.?0+$/, '') : fixed;
}

function scaled(x, steps) {
  if (typeof x !== 'number' || !Number.isFinite(x)) return missing;
  if (x === 0) return `0 ${steps.zero}`;
  const a = Math.abs(x);
  // 0.99996 must not become "1000 µs": choose the unit after rounding to the digits shown.
  let chosen = steps.list[steps.list.length - 1];
  for (const step of steps.list)
    if (Number((a / step[0]).toPrecision(4)) >= 1) {
      chosen = step;
      break;
    }
  return `${digits(x / chosen[0])} ${chosen[1]}`;
}

const time_steps = {zero: 'ns', list: [[1e9, 's'], [1e6, 'ms'], [1e3, 'µs'], [1, 'ns'], [1e-3, 'ps']]};
const byte_steps = {zero: 'B', list: [[1e12, 'TB'], [1e9, 'GB'], [1e6, 'MB'], [1e3, 'kB'], [1, 'B']]};
const energy_steps = {zero: 'J', list: [[1e15, 'kJ'], [1e12, 'J'], [1e9, 'mJ'], [1e6, 'µJ'], [1e3, 'nJ'], [1, 'pJ']]};
const flop_steps = {zero: 'FLOP', list: [[1e18, 'EFLOP'], [1e15, 'PFLOP'], [1e12, 'TFLOP'], [1e9, 'GFLOP'], [1e6, 'MFLOP'], [1e3, 'kFLOP'], [1, 'FLOP']]};
const rate_steps = {zero: 'GB/s', list: [[1e3, 'TB/s'], [1, 'GB/s'], [1e-3, 'MB/s'], [1e-6, 'kB/s']]};

export const time = (ns) => scaled(ns, time_steps);
export const bytes = (b) => scaled(b, byte_steps);
export const energy = (pj) => scaled(pj, energy_steps);
export const flops = (f) => scaled(f, flop_steps);
export const flops_rate = (f) => scaled(f, {...flop_steps, zero: 'FLOP'}) + '/s';
export const gbps = (g) => scaled(g, rate_steps);
/** Shares below a hundredth of a percent have no digits worth reading. */
export const percent = (f) => (typeof f === 'number' && Number.isFinite(f) ? (f > 0 && f < 1e-4 ? '< 0.01 %' : `${digits(f * 100, 3)} %`) : missing);
export const number = (x) => (typeof x === 'number' && Number.isFinite(x) ? digits(x) : missing);
export const count = (x) => (typeof x === 'number' && Number.isFinite(x) ? Math.round(x).toLocaleString('en-US') : missing);
export const times = (x) => (typeof x === 'number' && Number.isFinite(x) ? `${digits(x, 3)}×` : missing);
export const text = (x) => (x === undefined || x === null || x === '' ? missing : String(x));

/** The formatter that fits a key of result.json, from the unit at the end of its name. */
export function for_key(key) {
  if (/_ns$/.test(key)) return time;
  if (/_pj$/.test(key)) return energy;
  if (/bytes$/.test(key)) return bytes;
  if (/_gbps$/.test(key)) return gbps;
  if (/utilization$/.test(key)) return percent;
  if (/flops$/.test(key)) return flops;
  return (x) => (typeof x === 'number' ? number(x) : text(x));
}

/** Axis unit for values up to `max`: {scale, unit}; a chart divides by scale and names the unit once. */
export function axis_unit(kind, max) {
  const list = {time: time_steps, bytes: byte_steps, energy: energy_steps}[kind].list;
  for (const [scale, unit] of list) if (max >= scale) return {scale, unit};
  return {scale: 1, unit: list[list.length - 1][1]};
}

const html_of = {'&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;'};
/** For the few places (chart tooltips) that take HTML. */
export const escape = (s) => String(s).replace(/[&<>"']/g, (c) => html_of[c]);
