// SPDX-License-Identifier: Apache-2.0
// Unpacks what `memwall report` embedded. The shape is described in tools/report/README.md.
import {cause_order} from './palette.js';

const numbers = ['layer', 'token', 'start_ns', 'end_ns', 'flops', 'weights', 'kv_cache', 'activations', 'dram_bytes'];
const texts = ['name', 'kind', 'executor', 'booked_most'];

/** The operators of one run, column by column. */
export class layer_table {
  constructor(packed) {
    this.size = packed?.rows ?? 0;
    this.total = packed?.total ?? this.size;
    this.shown_fraction = packed?.shown_fraction ?? 1;
    this.strings = packed?.strings ?? [];
    this.causes = packed?.causes ?? [];
    this.column = {};
    for (const key of numbers) this.column[key] = packed?.[key] ?? new Array(this.size).fill(0);
    for (const key of texts) this.column[key] = (packed?.[key] ?? new Array(this.size).fill(0)).map((i) => this.strings[i] ?? '');
    this.stall = packed?.stall ?? [];
  }
  duration(i) { return this.column.end_ns[i] - this.column.start_ns[i]; }
  bytes(i) { return this.column.weights[i] + this.column.kv_cache[i] + this.column.activations[i]; }
  /** [[cause, ns], ...] without zeros, largest first. */
  stack(i) {
    return this.causes.map((c, k) => [c, this.stall[k][i]]).filter(([, ns]) => ns > 0).sort((a, b) => b[1] - a[1]);
  }
}

/** All causes that occur in `stacks` (objects cause -> ns), in the order of the hardware. */
export function causes_of(stacks) {
  const seen = new Set();
  for (const stack of stacks) for (const [cause, ns] of Object.entries(stack ?? {})) if (ns > 0) seen.add(cause);
  return [...seen].sort((a, b) => cause_order(a) - cause_order(b) || (a < b ? -1 : 1));
}

export function load() {
  const raw = JSON.parse(document.getElementById('memwall-data').textContent);
  const runs = (raw.runs ?? []).map((run, index) => ({
    index, label: run.label, result: run.result ?? {}, summary: run.result?.summary ?? {}, notes: run.notes ?? [],
    by_kind: run.by_kind ?? [], layers: new layer_table(run.layers), served: run.served ?? null,
  }));
  return {runs, sweeps: raw.sweeps ?? [], services: raw.services ?? [], version: raw.memwall_version, notes: raw.notes ?? [], figures: raw.figures ?? []};
}

/** Value at a dotted path of an object, or undefined. */
export const at = (object, path) => path.split('.').reduce((o, k) => (o === undefined || o === null ? undefined : o[k]), object);
