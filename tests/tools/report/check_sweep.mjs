// SPDX-License-Identifier: Apache-2.0
// Opens the report of a sweep in a real headless Chromium: node check_sweep.mjs MEMWALL CHROMIUM OUTPUT_DIR
import {rmSync, statSync} from 'node:fs';
import {join} from 'node:path';
import {check_pages, near} from './page_check.mjs';
import {model, write_sweep} from './sweep_fixture.mjs';

await check_pages(async ({dir, check, report, open, chart: rows_of, all_drawn, keep}) => {
  const rows = write_sweep(join(dir, 'grid'));
  const good = rows.filter((r) => r.status === 'ok');
  const file = report('sweep', join(dir, 'grid'));
  const page = await open(file);
  const chart = (id) => rows_of(page, id);
  const choose = (id, label, value) => page.value(`{ const s = [...document.querySelectorAll('#${id} select')].find((x) => x.getAttribute('aria-label') === '${label}'); s.value = '${value}'; s.dispatchEvent(new Event('change')); }`);

  check(await page.value(`document.querySelector('.points').dataset.value`) === String(rows.length), 'number of points');

  // The front, against the definition: no other point is at least as good in both and better in one.
  const per_token = (r) => [r.time / r.batch, r.energy / r.batch];
  const beaten = (r) => good.some((o) => o !== r && per_token(o).every((v, k) => v <= per_token(r)[k]) && per_token(o).some((v, k) => v < per_token(r)[k]));
  const front = good.filter((r) => !beaten(r)).map((r) => String(r.point)).sort();
  const shown = (await chart('pareto')).slice(1).map((c) => c[0]).sort();
  check(JSON.stringify(front) === JSON.stringify(shown), `the front is ${front}, the page has ${shown}`);

  // A cell of the heat map: the best of the points in it.
  const heat = await chart('heat');
  check(heat[0].join() === 'context \\ batch,1,2,4,8,16,32,64', `axes of the heat map: ${heat[0].join()}`);
  const cell = Math.min(...good.filter((r) => r.context === 2048 && r.batch === 8).map((r) => r.time / r.batch));
  check(near(Number(heat.find((r) => r[0] === '2048')[4]), cell, 1e-12), 'best time per token at batch 8 and context 2048');

  // Quantities sort by what they mean, not as text: 1.6 TB/s < 3.35 TB/s < 4800 GB/s.
  await choose('lines', 'Across', 'memory.bandwidth');
  await choose('lines', 'Lines', 'batch');
  const order = (await chart('lines')).slice(1).map((r) => r[0]);
  check(order.join() === '1.6 TB/s,3.35 TB/s,4800 GB/s', `order of bandwidths: ${order}`);

  // The crossover: von Neumann wins from the batch b on where a/B + c b + d b n = e + f b + g b n, at its best context
  // (512) and bandwidth (4800 GB/s). Solved here; the page interpolates between the batches 8 and 16.
  const difference = (batch) => model.time_ns('von_neumann_h100', batch, 512, 4800) - model.time_ns('cim_sram', batch, 512, 4800);
  const slope = difference(2) - difference(1);  // both are linear in the batch
  const exact = 1 - difference(1) / slope;
  await choose('lines', 'Across', 'batch');
  await choose('lines', 'Lines', 'platform');
  const crossing = await page.value(`document.querySelector('#lines').parentElement.querySelector('.card:last-child tbody tr').cells[2].textContent`);
  check(near(Number(crossing.replace('≈', '')), exact, 0.02), `the lines cross at ${exact}, the page says ${crossing}`);
  const winners = (await chart('crossover')).slice(1);
  for (const [batch, context, best] of winners) {
    const of = (p) => Math.min(...good.filter((r) => r.platform === p && r.batch === Number(batch) && r.context === Number(context)).map((r) => r.time / r.batch));
    const truth = of('von_neumann_h100') < of('cim_sram') ? 'von_neumann_h100' : 'cim_sram';
    check(best === truth, `at batch ${batch}, context ${context} ${truth} is best, the page says ${best}`);
  }

  // Sensitivity: medians a level.
  const tornado = (await chart('sensitivity')).slice(1);
  const batches = good.filter((r) => r.batch === 4).map((r) => r.time / r.batch).sort((p, q) => p - q);
  const middle = batches.length % 2 ? batches[(batches.length - 1) / 2] : (batches[batches.length / 2 - 1] + batches[batches.length / 2]) / 2;
  check(near(Number(tornado.find((r) => r[0] === 'batch' && r[1] === '4')[2]), middle, 1e-12), 'median at batch 4');
  check(tornado[0][0] === 'batch', 'the batch explains most');

  // A point's command is the one that the sweep wrote.
  await page.value(`document.querySelector('#points-table .grid-frame').focus()`);
  for (let k = 0; k < 4; ++k) await page.press('ArrowDown');
  await page.press('Enter');
  const command = await page.value(`document.querySelector('#points-table .detail pre').textContent`);
  const r = rows[3];
  check(command === `memwall run --platform ${r.platform} --model llama-65b --batch ${r.batch} --context ${r.context} --set 'memory.bandwidth=${r.bandwidth}'`, `command of point 3: ${command}`);

  await all_drawn(page);
  await keep(page, 'sweep_light');
  await keep(await open(file, {width: 390, height: 844}), 'sweep_narrow');

  // 100,000 points: small enough, quick enough, and honest about what is not drawn.
  write_sweep(join(dir, 'large'), 100000);
  const large_file = report('large_page', join(dir, 'large'));
  rmSync(join(dir, 'large'), {recursive: true});
  check(statSync(large_file).size < 20e6, `under 20 MB, is ${statSync(large_file).size}`);
  const large = await open(large_file, {dark: true, limit_ms: 10000});
  check(/of 98,795 lines are drawn/.test(await large.value(`document.getElementById('parallel').textContent`)), 'says how many lines it draws');
  check(/significant digits/.test(await large.value(`document.getElementById('sweep').textContent`)), 'says that numbers are rounded');
  await keep(large, 'sweep_dark');
  rmSync(large_file);
});
