// SPDX-License-Identifier: Apache-2.0
// Writes a synthetic results.csv as a sweep makes it: node sweep_fixture.mjs DIR [points]
// A von Neumann machine reads weights once a batch (time = max(weights/bandwidth, work/rate)); a CIM machine pays for
// every token of the batch: the two cross at a batch that the formula gives, so that the page's crossover can be checked.
import {mkdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';

export const model = {
  time_ns(platform, batch, context, gbps) {
    if (platform === 'von_neumann_h100') return 130e9 / gbps + 8e4 * batch + 0.4 * batch * context;
    return 4e6 + 2.2e6 * batch + 1.2 * batch * context;
  },
  energy_pj(platform, batch, context, gbps) {
    return platform === 'von_neumann_h100' ? 130e9 * 4 + batch * context * 3e4 + gbps * 1e7 : 60e9 + batch * 5e9 + batch * context * 2e4;
  },
};

/** Points of a full grid, then repeated with other seeds until there are `points`. Returns the rows as objects. */
export function write_sweep(dir, points = 0) {
  const platforms = ['von_neumann_h100', 'cim_sram'];
  const batches = [1, 2, 4, 8, 16, 32, 64];
  const contexts = [512, 2048, 8192, 32768];
  const bandwidths = ['1.6 TB/s', '3.35 TB/s', '4800 GB/s'];
  const rows = [];
  const speed = {'1.6 TB/s': 1600, '3.35 TB/s': 3350, '4800 GB/s': 4800};
  const grid = platforms.length * batches.length * contexts.length * bandwidths.length;
  const all = points || grid;
  for (let point = 0; point < all; ++point) {
    let k = point % grid;
    const take = (list) => {
      const v = list[k % list.length];
      k = Math.floor(k / list.length);
      return v;
    };
    const platform = take(platforms);
    const batch = take(batches);
    const context = take(contexts);
    const bandwidth = take(bandwidths);
    const round = 1 + 0.001 * Math.floor(point / grid);
    const time = model.time_ns(platform, batch, context, speed[bandwidth]) * round;
    const energy = model.energy_pj(platform, batch, context, speed[bandwidth]) * round;
    const bad = point % 83 === 17;
    rows.push({point, status: bad ? 'does_not_fit' : 'ok', platform, batch, context, bandwidth, time, energy});
  }
  const head = 'point,status,axis.platform,axis.batch,axis.context,axis.memory.bandwidth,summary.time_ns,summary.tokens,summary.tokens_per_s,summary.time_per_token_ns,summary.energy_pj,summary.energy_per_token_pj,summary.bound_by,summary.weight_bytes,platform,model,seed,memwall_version,exit_code,message,key,command';
  const lines = rows.map((r) => {
    const bad = r.status !== 'ok';
    const results = bad ? ',,,,,,,' : [r.time, r.batch, r.batch / (r.time * 1e-9), r.time / r.batch, r.energy, r.energy / r.batch, r.platform === 'cim_sram' ? 'cim_array' : 'dram_data', 130e9].join(',');
    return [r.point, r.status, r.platform, r.batch, r.context, r.bandwidth, results, r.platform, 'llama-65b', 1, '0.1.0', bad ? 3 : 0, bad ? '"cim0: 3,221,225,472 bytes are missing"' : '', `k${r.point}`,
      `memwall run --platform ${r.platform} --model llama-65b --batch ${r.batch} --context ${r.context} --set 'memory.bandwidth=${r.bandwidth}'`].join(',');
  });
  mkdirSync(dir, {recursive: true});
  writeFileSync(join(dir, 'results.csv'), `${head}\n${lines.join('\n')}\n`);
  return rows;
}

if (import.meta.url === `file://${process.argv[1]}`) write_sweep(process.argv[2], Number(process.argv[3] ?? 0));
