// SPDX-License-Identifier: Apache-2.0
// Writes synthetic results in the form of result.json, with parts that sum, for tests of the page:
//   node fixture.mjs DIR [layers] [tokens]     -> DIR/a, DIR/b (two platforms)
// The numbers are made up; their only duty is to be consistent with each other.
import {mkdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';

const causes = ['compute', 'launch', 'host', 'all_reduce', 'core_requests', 'bus_wait', 'bus_transfer', 'link', 'page_fault', 'dram_queue', 'dram_data', 'dram_latency', 'dram_row_miss', 'dram_row_conflict',
  'dram_bank_group', 'dram_activate', 'dram_refresh', 'dram_turnaround', 'cim_input', 'cim_array', 'cim_adc', 'cim_digital', 'cim_program', 'dependency', 'idle'];

function generator(seed) {
  let s = seed >>> 0;
  return () => {
    s = (Math.imul(s, 1664525) + 1013904223) >>> 0;
    return s / 2 ** 32;
  };
}
const ns = (ps) => ps / 1000;

/** Splits `total` picoseconds in whole parts. */
function split(total, weights) {
  const sum = Object.values(weights).reduce((a, b) => a + b, 0);
  const out = {};
  let left = total;
  for (const [cause, w] of Object.entries(weights)) left -= out[cause] = Math.floor((total * w) / sum);
  out[Object.keys(weights)[0]] += left;
  return out;
}

export function make_result({platform, cim = false, layers = 80, tokens = 1, seed = 1, batch = 1}) {
  const random = generator(seed);
  const hidden = 8192;
  const list = [];
  const total = Object.fromEntries(causes.map((c) => [c, 0]));
  const rate = cim ? 9000 : 3000;  // bytes a nanosecond
  let now = 0;
  const operators = [['attn_norm', 'norm', 0], ['attn.qkv', 'gemv', 3 * hidden * hidden], ['attn.rope', 'elementwise', 0], ['attn.scores', 'attention', 0], ['attn.softmax', 'softmax', 0],
    ['attn.values', 'attention', 0], ['attn.out', 'gemv', hidden * hidden], ['ffn_norm', 'norm', 0], ['ffn.gate', 'gemv', hidden * 22016], ['ffn.up', 'gemv', hidden * 22016],
    ['ffn.act', 'elementwise', 0], ['ffn.down', 'gemv', hidden * 22016]];
  for (let token = 0; token < tokens; ++token)
    for (let layer = 0; layer < layers; ++layer)
      for (const [op, kind, weights] of operators) {
        const kv = kind === 'attention' ? 2048 * hidden * 2 * batch : 0;
        const activations = 2 * hidden * 2 * batch;
        const bytes = 2 * weights + kv + activations;
        const ps = Math.round((1500 + bytes / rate) * 1000 * (1 + 0.05 * random()));
        const weights_of = weights || kv
          ? (cim ? {cim_array: 6, cim_adc: 2, cim_input: 1, cim_digital: 0.5, bus_transfer: 1, launch: 0.4, dram_data: kv ? 4 : 0.1}
            : {core_requests: 9, dram_data: 70, dram_refresh: 4, dram_row_miss: 3, dram_activate: 1, dram_latency: 1.5, bus_wait: 3, bus_transfer: 2, launch: 4, compute: 1.5 * random()})
          : {launch: 6, compute: 2, dram_latency: 2, bus_transfer: 0.5, dependency: 0.2};
        const stack = split(ps, weights_of);
        for (const [c, v] of Object.entries(stack)) total[c] += v;
        const booked_most = Object.entries(stack).sort((a, b) => b[1] - a[1])[0][0];
        list.push({name: `layers.${layer}.${op}`, kind, layer, token, executor: cim && kind === 'gemv' ? 'cim0' : 'core0', start_ns: ns(now), end_ns: ns(now + ps), bound_by: null, booked_most,
          flops: 2 * weights * batch + (kv ? kv * batch : hidden * 4 * batch), bytes: {weights: 2 * weights, kv_cache: kv, activations}, dram_bytes: cim ? kv : 2 * weights + kv,
          stall_stack_ns: Object.fromEntries(Object.entries(stack).map(([c, v]) => [c, ns(v)]))});
        now += ps;
      }
  const weight_bytes = list.reduce((a, l) => a + l.bytes.weights, 0);
  const kv_bytes = list.reduce((a, l) => a + l.bytes.kv_cache, 0);
  const dram_bytes = list.reduce((a, l) => a + l.dram_bytes, 0);
  const flops = list.reduce((a, l) => a + l.flops, 0);
  const energy = {dram_activate: dram_bytes * 1.1, dram_io: dram_bytes * 2.3, dram_refresh: now * 2e-5, bus: (weight_bytes + kv_bytes) * 0.6, core: flops * 0.35, ...(cim ? {cim_array: flops * 0.04, cim_adc: flops * 0.09} : {}), static: now * 8e-5};
  const total_pj = Object.values(energy).reduce((a, b) => a + b, 0);
  const ranked = Object.entries(total).filter(([c]) => c !== 'idle').sort((a, b) => b[1] - a[1]);
  const peak = 3352;
  const buckets = 200;
  const track = (name, unit, f) => ({name, unit, values: Array.from({length: buckets}, (_, i) => f(i))});
  const histogram = Array.from({length: 24}, (_, i) => [40 * 1.25 ** i, Math.round(1e6 * Math.exp(-((i - 6) ** 2) / 8))]);
  const percentiles = {mean: 142.5, p50: 131.2, p90: 201.5, p99: 310.9, max: 1204.75};
  return {
    schema: 'memwall-result-1', memwall_version: '0.1.0', platform, model: 'llama-65b', workload: {phase: 'decode', batch, prompt: 0, context: 2048, tokens, dtype: 'fp16'}, seed: 1,
    fidelity: {transfer_bytes: 65536, replay: true},
    config: {platform: {name: platform, core: {clock: '1.83 GHz', outstanding: 64}, memory: {standard: 'HBM3', channels: cim ? 32 : 80, capacity: '80 GiB'}, bus: {width: '1024 bit', arbiter: cim ? 'round_robin' : 'weighted'}}},
    summary: {time_ns: ns(now), tokens, tokens_per_s: tokens / (now * 1e-12), time_per_token_ns: ns(now) / tokens, bound_by: 'dram bandwidth', booked_most: ranked[0][0], energy_pj: total_pj,
      energy_per_token_pj: total_pj / tokens, weight_bytes, kv_bytes, dram_bytes, bus_bytes: weight_bytes + kv_bytes, link_bytes: 0, flops, dram_bandwidth_gbps: dram_bytes / ns(now), dram_utilization: dram_bytes / ns(now) / peak,
      bus_utilization: 0.61},
    whatif: ['dram bandwidth', 'bus', 'vector arithmetic'].flatMap((resource, i) => [2, 'inf'].map((factor) => ({resource, factor, time_ns: ns(now) / (1.8 - i * 0.3), speedup: 1.8 - i * 0.3, set: [`${resource}=${factor}`]}))),
    stall_stack_ns: Object.fromEntries(causes.map((c) => [c, ns(total[c])])),
    memories: [{name: 'hbm', standard: 'HBM3', channels: 80, peak_gbps: peak, read_bytes: dram_bytes, write_bytes: kv_bytes / 2048, utilization: dram_bytes / ns(now) / peak, latency_ns: {...percentiles, histogram},
      row: {hit: 9e6, miss: 4e5, conflict: 2e4}, energy_pj: {activate: energy.dram_activate, io: energy.dram_io, refresh: energy.dram_refresh, total: energy.dram_activate + energy.dram_io + energy.dram_refresh}}],
    buses: [{name: 'bus', utilization: 0.61, bytes: weight_bytes + kv_bytes, energy_pj: energy.bus, wait_ns: {core0: {...percentiles, total: 3.2e6}, dma: {...percentiles, total: 1.1e6}},
      wait_matrix_ns: {core0: {core0: 1.9e6, dma: 1.3e6}, dma: {core0: 1.0e6, dma: 1e5}}}],
    links: [],
    executors: [{name: 'core0', kind: 'gpu', busy_ns: ns(now) * 0.8, utilization: 0.8, flops, energy_pj: energy.core, stall_stack_ns: Object.fromEntries(causes.map((c) => [c, ns(total[c])]))}],
    roofline: {executors: [{name: 'core0', peak_flops: {fp16: 989e12}, dtype_used: 'fp16', bandwidths: [{name: 'hbm', bytes_per_s: 3352e9}]},
      ...(cim ? [{name: 'cim0', peak_flops: {fp16: 2e15}, dtype_used: 'fp16', bandwidths: [{name: 'array', bytes_per_s: 12e12}]}] : [])]},
    series: {bucket_ns: ns(now) / buckets, start_ns: 0, tracks: [track('hbm', 'GB/s', (i) => 2500 + 600 * Math.sin(i / 5) * random()), track('bus', 'fraction', (i) => 0.5 + 0.3 * Math.sin(i / 9) ** 2), track('link', 'fraction', () => 0.05 * random())]},
    placement: {memories: [{name: 'hbm', capacity_bytes: 80 * 2 ** 30, used_bytes: 68e9, by_class: {weights: 65.2e9, kv_cache: 2.6e9, activations: 0.2e9}}, ...(cim ? [{name: 'cim0', capacity_bytes: 64 * 2 ** 30, used_bytes: 60e9, by_class: {weights: 60e9}}] : [])],
      notes: ['Weights are in HBM.', 'KV cache of 2048 tokens fits.']},
    energy: {by_component_pj: energy, total_pj},
    layers: list, provenance: {command: `memwall run --platform ${platform} --model llama-65b`, config_hash: 'a1b2c3d4'},
    host: {wall_s: 3.21, peak_rss_mb: 210, events: 1200345, dram_bursts: 2e9, dram_bursts_per_s: 6.2e8},
  };
}

/** Writes DIR/a and DIR/b; strings that try to break out of the page are among the data. */
export function write_fixture(dir, {layers = 80, tokens = 1} = {}) {
  const a = make_result({platform: 'von_neumann_h100', layers, tokens, seed: 1});
  const b = make_result({platform: 'cim_sram', cim: true, layers, tokens, seed: 2});
  b.placement.notes.push('hostile </script><script>window.broken = 1</script><!-- & "quotes"');
  for (const [name, result] of [['a', a], ['b', b]]) {
    mkdirSync(join(dir, name), {recursive: true});
    writeFileSync(join(dir, name, 'result.json'), JSON.stringify(result));
  }
  return [a, b];
}

if (import.meta.url === `file://${process.argv[1]}`) write_fixture(process.argv[2], {layers: Number(process.argv[3] ?? 80), tokens: Number(process.argv[4] ?? 1)});
