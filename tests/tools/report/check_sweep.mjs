// SPDX-License-Identifier: Apache-2.0
// Opens the report of a sweep in a real headless Chromium: node check_sweep.mjs MEMWALL CHROMIUM OUTPUT_DIR
import {execFileSync} from 'node:child_process';
import {mkdirSync, rmSync, statSync} from 'node:fs';
import {cpus, loadavg} from 'node:os';
import {join, resolve} from 'node:path';
import {browser} from './browser.mjs';
import {model, write_sweep} from './sweep_fixture.mjs';

const [memwall, chromium, output] = process.argv.slice(2);
const dir = resolve(output);
rmSync(dir, {recursive: true, force: true});
mkdirSync(dir, {recursive: true});
let failures = 0;
function check(ok, what) {
  if (!ok) {
    ++failures;
    console.error(`FAILED: ${what}`);
  }
}
const near = (a, b, relative) => Math.abs(a - b) <= relative * Math.max(Math.abs(a), Math.abs(b));

const rows = write_sweep(join(dir, 'grid'));
const file = join(dir, 'sweep.html');
execFileSync(memwall, ['report', join(dir, 'grid'), '-o', file, '--quiet']);
const good = rows.filter((r) => r.status === 'ok');

const b = await browser.start(chromium);
try {
  const page = await b.open(`file://${file}`);
  await page.until('document.documentElement.dataset.ready');
  const chart = async (id) => JSON.parse(await page.value(`(() => { const f = document.getElementById('${id}'); const b = f.querySelector('figcaption button'); if (b.getAttribute('aria-expanded') === 'false') b.click();
    const t = f.querySelector('.data table'); const out = JSON.stringify([[...t.querySelectorAll('thead th')].map((n) => n.textContent), ...[...t.querySelectorAll('tbody tr')].map((r) => [...r.cells].map((c) => c.textContent))]); b.click(); return out; })()`));
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

  check((await page.value(`[...document.querySelectorAll('figure .chart')].filter((c) => { const s = c.querySelector('svg'); if (s) return s.querySelectorAll('path').length < 5;
    const v = c.querySelector('canvas'); const d = v.getContext('2d').getImageData(0, 0, v.width, v.height).data; return !d.some((x) => x !== 0); }).map((c) => c.id).join(' ')`)) === '', 'every chart is drawn');
  await page.value(`document.querySelector('header').style.position = 'static'`);
  await page.picture(join(dir, 'sweep_light.png'));
  check(page.errors.length === 0, `no console errors: ${page.errors.join(' | ')}`);
  check(page.requests.length === 0, 'nothing is fetched');

  // 100,000 points: small enough, quick enough, and honest about what is not drawn.
  write_sweep(join(dir, 'large'), 100000);
  const large_file = join(dir, 'large.html');
  execFileSync(memwall, ['report', join(dir, 'large'), '-o', large_file, '--quiet']);
  rmSync(join(dir, 'large'), {recursive: true});
  check(statSync(large_file).size < 20e6, `under 20 MB, is ${statSync(large_file).size}`);
  const limit_ms = 3000;
  const large = await b.open(`file://${large_file}`, {dark: true});
  await large.until('document.documentElement.dataset.ready');
  const ready_ms = Number(await large.value('document.documentElement.dataset.ready'));
  const cpu_ms = await large.cpu_ms();
  console.log(`100,000 points: ${(statSync(large_file).size / 1e6).toFixed(1)} MB, all charts drawn after ${ready_ms} ms (${cpu_ms.toFixed(0)} ms of processor time)`);
  const busy = loadavg()[0] > cpus().length;  // then the page's own processor time counts
  check((busy ? Math.min(cpu_ms, ready_ms) : ready_ms) < limit_ms, `loads within ${limit_ms} ms, took ${ready_ms} ms, ${cpu_ms} ms of processor time`);
  check(/of 98,795 lines are drawn/.test(await large.value(`document.getElementById('parallel').textContent`)), 'says how many lines it draws');
  check(/significant digits/.test(await large.value(`document.getElementById('sweep').textContent`)), 'says that numbers are rounded');
  await large.value(`document.querySelector('header').style.position = 'static'`);
  await large.picture(join(dir, 'sweep_dark.png'));
  check(large.errors.length === 0, `no console errors: ${large.errors.join(' | ')}`);
  rmSync(large_file);
} catch (error) {
  ++failures;
  console.error(error);
} finally {
  await b.close();
}
console.log(failures ? `${failures} checks failed` : `all well; pictures are in ${dir}`);
process.exit(failures ? 1 : 0);
