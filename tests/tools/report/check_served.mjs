// SPDX-License-Identifier: Apache-2.0
// Opens the reports of served runs in a real headless Chromium: node check_served.mjs MEMWALL CHROMIUM OUTPUT_DIR
import {mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {make_result} from './fixture.mjs';
import {check_pages, near} from './page_check.mjs';

const spread = (v) => ({mean: v, p50: v, p90: 2 * v, p95: 2.5 * v, p99: 3 * v});

/** Requests one a second, each `wait` in the queue, a second of prompt and two of tokens; a step a second. */
function write_served(dir, platform, wait, count = 40) {
  mkdirSync(dir, {recursive: true});
  const rows = Array.from({length: count}, (_, i) => ({id: `r${i}`, arrival: i, scheduled: i + wait, first: i + wait + 1, last: i + wait + 3}));
  const result = {...make_result({platform}), layers: [], serving: {requests: count, completed: count, requests_per_s: 1, output_tokens_per_s: 5, preemptions: 0, prefix_hit_rate: 0,
    ttft_ms: spread(1000 * (wait + 1)), tpot_ms: spread(500), itl_ms: spread(500), e2e_ms: spread(1000 * (wait + 3)), kv: {blocks: 100, block_size: 16, peak_blocks: 50}, goodput: {ttft_ms: 3000, share: 1, requests_per_s: 1}}};
  writeFileSync(join(dir, 'result.json'), JSON.stringify(result));
  writeFileSync(join(dir, 'requests.csv'), ['request,arrival_s,scheduled_s,first_token_s,last_token_s,input_tokens,output_tokens,preemptions,class',
    ...rows.map((r) => [r.id, r.arrival, r.scheduled, r.first, r.last, 100, 5, 0, ''].join(','))].join('\n') + '\n');
  const end = Math.ceil(rows[count - 1].last);
  writeFileSync(join(dir, 'steps.csv'), ['start_s,end_s,running,waiting,kv_blocks,tokens', ...Array.from({length: end}, (_, s) => [s, s + 1, 3, 1, 30, 10].join(','))].join('\n') + '\n');
  return {rows, result};
}

const point = (load, of_limit) => ({load, within: of_limit <= 1 ? 1 : 0.5, requests_per_s: load, energy_per_token_pj: 1e9, ttft_ms: 1000 * of_limit, tpot_ms: 10, e2e_ms: 3000, tightest: 'ttft', of_limit});

await check_pages(async ({dir, check, report, open, chart: rows_of, all_drawn, keep}) => {
  const a = write_served(join(dir, 'served', 'gpu', 'rate-4'), 'gpu', 0.5);
  write_served(join(dir, 'served', 'banks', 'rate-1'), 'banks', 2);
  const entry = (platform, scale) => ({platform, load: 'requests_per_s', share_pct: 90, carried: 4 * scale, too_much: 8 * scale, limited_by: 'ttft', at_once: {}, machine: {},
    at: {requests_per_s: 4 * scale, under_way: 14 * scale, output_tokens_per_s: 20 * scale, ttft_ms: spread(500), tpot_ms: spread(10), e2e_ms: spread(3000), energy_per_token_pj: 1e9, power_w: 400 * scale, requests_per_s_per_kw: 10},
    points: [point(2 * scale, 0.5), point(4 * scale, 0.9), point(8 * scale, 3)], folder: platform === 'gpu' ? 'gpu/rate-4' : 'banks/rate-1'});
  writeFileSync(join(dir, 'served', 'compare.json'), JSON.stringify({schema: 'memwall-goodput-1', model: 'm', requests: 'poisson:n=40', slo: 'ttft=1s', share_pct: 90, load: 'requests_per_s',
    platforms: [entry('gpu', 1), entry('banks', 0.25), {platform: 'large', exit_code: 3, message: 'too large'}], verdicts: ['banks loses: <b>0.25x</b>']}));
  writeFileSync(join(dir, 'served', 'results.csv'), 'point,status,axis.platform,axis.rate,summary.time_ns,summary.e2e_mean_ms\n0,ok,gpu,2,5,100\n1,ok,gpu,4,5,200\n2,ok,banks,0.5,5,300\n3,ok,banks,1,5,400\n');
  const page = await open(report('served', join(dir, 'served')), {limit_ms: 4000});
  const chart = (id) => rows_of(page, id);

  // Every request with its moments, of the run that is shown first.
  const requests = (await chart('requests')).slice(1);
  check(requests.length === a.rows.length, `${a.rows.length} requests, has ${requests.length}`);
  requests.forEach((r, i) => ['arrival', 'scheduled', 'first', 'last'].forEach((k, c) => check(near(Number(r[c + 1]), a.rows[i][k], 1e-9), `${k} of request ${i}`)));
  // Three in the batch at all times, ten tokens a second.
  const course = (await chart('load')).slice(1);
  check(course.length >= 500, `the course in intervals, has ${course.length}`);
  check(course.every((r) => near(Number(r[1]), 3, 0.01) && near(Number(r[4]), 10, 0.01)), 'batch and tokens over time');
  // All have the same times: every share of the requests is done within them.
  const latencies = await chart('latencies');
  check(latencies.slice(1).every((r) => near(Number(r[1]), 3500, 1e-6) && near(Number(r[2]), 5000, 1e-6)), `latencies of both runs: ${latencies[1]}`);
  const goodput = (await chart('goodput')).slice(1);
  check(goodput.length === 6, `every load that was tried, has ${goodput.length}`);
  const carried = JSON.parse(await page.value(`JSON.stringify([...document.querySelectorAll('#goodput-table [data-carried]')].map((n) => Number(n.dataset.carried)))`));
  check(carried.join() === '4,1', `what is served: ${carried}`);
  check((await page.value(`document.getElementById('goodput-table').textContent`)).includes('does not fit'), 'what does not fit is said');
  check((await page.value(`document.querySelector('.verdict').textContent`)).includes('<b>0.25x</b>'), 'a verdict is text');
  await all_drawn(page);
  await keep(page, 'served_light');
  await keep(await open(join(dir, 'served.html'), {width: 390, height: 844}), 'served_narrow');

  // Rates alone, without a run.
  const rate = (r, v) => ({rate: r, requests_per_s: r, ttft_ms: spread(v), tpot_ms: spread(v / 10), e2e_ms: spread(v)});
  mkdirSync(join(dir, 'rates'));
  writeFileSync(join(dir, 'rates', 'rates.json'), JSON.stringify({schema: 'memwall-rates-1', model: 'm', requests: 'poisson', platforms: [{platform: 'gpu', knee: {rate: 4, e2e_mean_ms: 12}, points: [rate(2, 10), rate(4, 12), rate(8, 80), {rate: 16, exit_code: 3}]}], verdicts: []}));
  writeFileSync(join(dir, 'rates', 'results.csv'), readFileSync(join(dir, 'served', 'results.csv')));
  const rates_page = await open(report('rates_page', join(dir, 'rates')));
  const rates = (await rows_of(rates_page, 'rates')).slice(1);
  check(rates[1].join() === 'gpu,4,4,12,knee', `the knee is marked: ${rates[1]}`);
  await all_drawn(rates_page);
  await keep(rates_page, 'rates_light');
});
