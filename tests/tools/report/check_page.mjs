// SPDX-License-Identifier: Apache-2.0
// Opens a report in a real headless Chromium and checks it as a reader would:
//   node check_page.mjs MEMWALL CHROMIUM OUTPUT_DIR
// Keeps pictures (light, dark, print) in OUTPUT_DIR for a person to look at. Exit code 1: something is wrong.
import {execFileSync} from 'node:child_process';
import {mkdirSync, readFileSync, statSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {write_fixture} from './fixture.mjs';
import {check_pages, near} from './page_check.mjs';

// What a text on the page means, worked out here and not with the page's own code.
const scale = {ps: 1e-3, ns: 1, 'µs': 1e3, ms: 1e6, s: 1e9, B: 1, kB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12, pJ: 1, nJ: 1e3, 'µJ': 1e6, mJ: 1e9, J: 1e12, kJ: 1e15,
  '%': 0.01, 'GB/s': 1, 'TB/s': 1e3, 'MB/s': 1e-3, FLOP: 1, kFLOP: 1e3, MFLOP: 1e6, GFLOP: 1e9, TFLOP: 1e12, PFLOP: 1e15, EFLOP: 1e18};
function meaning(text) {
  const m = /^(-?[\d.,]+(?:e-?\d+)?)\s*(\S*)$/.exec(text.trim());
  return m ? Number(m[1].replaceAll(',', '')) * (m[2] ? scale[m[2]] ?? NaN : 1) : NaN;
}

await check_pages(async ({memwall, dir, check, report, open, chart: rows_of, all_drawn, keep}) => {
  const results = write_fixture(join(dir, 'compare'), {layers: 80, tokens: 1});
  const file = report('report', join(dir, 'compare'));
  check(statSync(file).size < 3e6, `the page is under 3 MB, is ${statSync(file).size}`);
  const page = await open(file, {limit_ms: 2000});

  // 1. The numbers on the page are those of result.json: the exact value, and the text as a reader understands it.
  const values = JSON.parse(await page.value(`JSON.stringify([...document.querySelectorAll('.value[data-value]')].map((n) => [n.dataset.run, n.dataset.path, n.dataset.value, n.textContent]))`));
  check(values.length > 30, `many numbers in the overview, has ${values.length}`);
  for (const [run, path, value, text] of values) {
    const real = path.split('.').reduce((o, k) => o[k], results[run]);
    check(Number(value) === real, `${path} of run ${run} is ${value}, result.json has ${real}`);
    check(near(meaning(text), real, 0.0051), `${path} of run ${run} reads "${text}", result.json has ${real}`);
  }
  check(new Set(values.map((v) => v[1])).size >= 14, 'all keys of the summary are shown');

  // 2. Charts show the same numbers: their data tables, cell by cell.
  const chart = (id) => rows_of(page, id);
  const [head, ...bars] = await chart('stalls');
  check(bars.length === 2, 'one stack a run');
  bars.forEach((bar, run) => {
    head.slice(1, -1).forEach((h, i) => check(Number(bar[i + 1]) === results[run].stall_stack_ns[h.replace(/_ns$/, '')], `${h} of run ${run} in the stall stack`));
    check(near(Number(bar[bar.length - 1]), results[run].summary.time_ns, 1e-9), `the stack of run ${run} sums to its time`);
  });
  const energy = await chart('energy');
  for (const [component, ...pj] of energy.slice(1, -1))
    pj.forEach((v, run) => check(Number(v) === (results[run].energy.by_component_pj[component] ?? 0), `energy of ${component} of run ${run}`));
  const capacity = await chart('capacity');
  check(Number(capacity[1][2]) === results[0].placement.memories[0].used_bytes, 'used bytes of the first memory');
  const roof = await chart('roofline');
  check(roof.length - 1 === 500, `the data of the roofline, has ${roof.length - 1} rows (at most 500 on the page)`);
  const first = results[0].layers.find((l) => l.name === roof[1][1]);
  check(near(Number(roof[1][4]), first.flops / Object.values(first.bytes).reduce((a, x) => a + x, 0), 1e-12), 'intensity of the first operator');

  // 3. The pictures themselves: every figure has something drawn in it.
  await all_drawn(page);

  // 4. Table of operators: sorting, searching, thousands of rows without thousands of elements.
  const cells = (key) => page.value(`JSON.stringify([...document.querySelectorAll('#layers-table tbody td[data-key="${key}"]')].map((n) => n.dataset.value ?? n.textContent))`).then(JSON.parse);
  check((await page.value(`document.querySelectorAll('#layers-table tbody tr').length`)) < 100, 'only the rows in sight are in the document');
  await page.value(`document.querySelector('#layers-table button[data-key="time_ns"]').click()`);
  const longest = [...results[0].layers].sort((a, c) => (c.end_ns - c.start_ns) - (a.end_ns - a.start_ns));
  check((await cells('name'))[0] === longest[0].name, `sorted by time the first is ${longest[0].name}, is ${(await cells('name'))[0]}`);
  check(Number((await cells('time_ns'))[0]) === longest[0].end_ns - longest[0].start_ns, 'its time is that of result.json');
  check((await page.value(`document.querySelector('#layers-table th[aria-sort="descending"] button').dataset.key`)) === 'time_ns', 'aria-sort tells the order');
  await page.value(`document.querySelector('#layers-table button[data-key="time_ns"]').click()`);
  const ascending = (await cells('time_ns')).map(Number);
  check(ascending.every((v, i) => i === 0 || v >= ascending[i - 1]), 'sorted the other way round');
  await page.value(`{ const s = document.getElementById('layers-table-search'); s.value = 'layers.7.ffn'; s.dispatchEvent(new Event('input')); }`);
  const found = await cells('name');
  check(found.length === 5 && found.every((n) => n.startsWith('layers.7.ffn')), `search finds the 5 operators of layer 7's FFN, found ${found.join(', ')}`);
  await page.value(`document.querySelector('#layers-table .grid-frame').focus()`);
  await page.press('ArrowDown');
  await page.press('Enter');
  const opened = results[0].layers.find((l) => l.name === (found[0]));
  const detail = JSON.parse(await page.value(`JSON.stringify([...document.querySelectorAll('#layers-table .detail td[data-value]')].map((n) => Number(n.dataset.value)))`));
  check(near(detail.reduce((a, x) => a + x, 0), opened.end_ns - opened.start_ns, 1e-9), `the keyboard opens a row; its stack sums to its time (${detail.length} causes)`);
  await page.value(`{ const s = document.getElementById('layers-table-search'); s.value = ''; s.dispatchEvent(new Event('input')); }`);

  // 5. Tooltips, by mouse and by keyboard.
  await page.value(`document.getElementById('stalls').scrollIntoView({block: 'center'})`);
  const bar = JSON.parse(await page.value(`(() => { const paths = [...document.querySelectorAll('#stalls-chart svg path')].filter((p) => p.getBoundingClientRect().width > 200 && (p.getAttribute('fill') ?? '').startsWith('#') && p.getBoundingClientRect().height < 60 && p.getBoundingClientRect().height > 10);
    const r = paths[paths.length - 1].getBoundingClientRect(); return JSON.stringify([r.x + r.width / 2, r.y + r.height / 2]); })()`));
  await page.mouse('mouseMoved', bar[0] - 3, bar[1]);
  await page.mouse('mouseMoved', bar[0], bar[1]);
  const tip = await page.until(`[...document.querySelectorAll('#stalls-chart > div')].map((d) => d.style.opacity !== '0' && d.style.visibility !== 'hidden' ? d.textContent : '').find((t) => t.includes('%'))`, 120000);
  check(/(ns|µs|ms|s) .*%/.test(tip), `a tooltip with time and share, reads "${tip}"`);
  await page.value(`document.getElementById('what-if-chart').focus()`);
  await page.press('ArrowRight');
  await page.until(`document.getElementById('what-if-chart').textContent.includes('as fast')`, 120000);

  // 6. Exports.
  const svg = await page.value(`new Promise((done) => { const real = URL.createObjectURL; URL.createObjectURL = (blob) => { URL.createObjectURL = real; blob.text().then(done); return 'data:,'; }; [...document.querySelectorAll('#stalls button')].find((x) => x.textContent === 'SVG').click(); })`);
  check(svg.startsWith('<svg') && svg.length > 2000, 'export to SVG');
  const csv = await page.value(`new Promise((done) => { const real = URL.createObjectURL; URL.createObjectURL = (blob) => { URL.createObjectURL = real; blob.text().then(done); return 'data:,'; }; [...document.querySelectorAll('#layers-table button')].find((x) => x.textContent === 'CSV').click(); })`);
  check(csv.trim().split('\r\n').length === results[0].layers.length + 1, 'export of the operators to CSV');
  const png = await page.value(`new Promise((done) => { const real = URL.createObjectURL; URL.createObjectURL = (blob) => { URL.createObjectURL = real; blob.slice(1, 4).text().then(done); return 'data:,'; }; [...document.querySelectorAll('#roofline button')].find((x) => x.textContent === 'PNG').click(); })`);
  check(png === 'PNG', `export to PNG, starts with ${png}`);

  // 7. For everybody: names for what can be focused, headings in order, a hostile string stayed a string.
  check((await page.value('window.broken')) === undefined, 'strings of the data are not run');
  const unnamed = await page.value(`[...document.querySelectorAll('button, select, input, [tabindex="0"]')].filter((n) => !(n.textContent.trim() || n.getAttribute('aria-label') || n.labels?.length)).length`);
  check(unnamed === 0, `${unnamed} controls have no name`);
  await keep(page, 'report_light');
  const pdf = await page.send('Page.printToPDF', {printBackground: true, preferCSSPageSize: true});
  writeFileSync(join(dir, 'report.pdf'), Buffer.from(pdf.data, 'base64'));
  await keep(await open(file, {width: 390, height: 844}), 'report_narrow');
  const dark = await open(file, {dark: true});
  await dark.press('Tab');
  check((await dark.value('document.activeElement.className')) === 'skip', 'the first Tab reaches the skip link');
  const back = await dark.value(`getComputedStyle(document.body).backgroundColor`);
  check(back.match(/\d+/g).every((v) => Number(v) < 60), `dark page for readers who like it dark, is ${back}`);
  await dark.value(`document.getElementById('theme').click()`);
  check((await dark.value(`getComputedStyle(document.body).backgroundColor`)).match(/\d+/g).every((v) => Number(v) > 200), 'the button turns the light on');
  await dark.value(`document.getElementById('theme').click(); document.getElementById('patterns').click(); document.getElementById('patterns').click()`);
  await keep(dark, 'report_dark');

  // 8. A result with nothing but what the contract demands must still make a page.
  const bare = {schema: 'memwall-result-1', platform: 'p', model: 'm', summary: {time_ns: 5, tokens: 1, bound_by: null, booked_most: 'compute'}, stall_stack_ns: {compute: 5}, layers: []};
  mkdirSync(join(dir, 'bare'));
  writeFileSync(join(dir, 'bare', 'result.json'), JSON.stringify(bare));
  const small = await open(report('bare', join(dir, 'bare')));
  check((await small.value(`document.querySelectorAll('figure').length`)) >= 1, 'a bare result has its stall stack');
  check(small.errors.length === 0, `a bare result makes no errors: ${small.errors.join(' | ')}`);

  // 9. Real results: a small model on two platforms.
  const real = join(dir, 'real');
  const platforms = ['von_neumann_h100', 'cim_dram'];
  execFileSync(memwall, ['compare', ...platforms.flatMap((p) => ['--platform', p]), '--model', 'gpt-2', '--context', '64', '--whatif', '--out', real, '--quiet']);
  const true_page = await open(report('real_page', real));
  const labels = JSON.parse(await true_page.value(`JSON.stringify([...document.querySelectorAll('article.run h3')].map((n) => n.textContent))`));
  check(labels.join() === platforms.join(), `von Neumann first, then CIM; has ${labels}`);
  const files = platforms.map((p) => JSON.parse(readFileSync(join(real, p, 'result.json'), 'utf8')));
  const said = JSON.parse(await true_page.value(`JSON.stringify([...document.querySelectorAll('.value[data-value]')].map((n) => [n.dataset.run, n.dataset.path, n.dataset.value]))`));
  check(said.length > 30, 'the real summary is on the page');
  for (const [run, path, value] of said) check(Number(value) === path.split('.').reduce((o, k) => o[k], files[run]), `${path} of ${platforms[run]}`);
  const whole = JSON.parse(await true_page.value(`(() => { document.querySelector('#stalls button').click(); return JSON.stringify([...document.querySelectorAll('#stalls .data tbody tr')].map((r) => Number(r.cells[r.cells.length - 1].textContent))); })()`));
  whole.forEach((sum, run) => check(near(sum, files[run].summary.time_ns, 1e-9), `the stall stack of ${platforms[run]} sums to its time on the page`));
  check((await true_page.value(`document.getElementById('layers-table-count').textContent`)).includes(` of ${files[0].layers.length} rows`), 'all operators are in the table');
  for (const id of ['stalls', 'stalls-by', 'what-if', 'roofline', 'timeline', 'latency', 'capacity', 'energy', 'layers-table', 'configuration'])
    check(await true_page.value(`document.getElementById('${id}') !== null`), `real results have ${id}`);
  // Every number of the results that has no table or chart of its own is under "Every figure", with its declared unit
  // and meaning: what the program declares is all that the page knows of it.
  const declared = new Map([...execFileSync(memwall, ['describe', 'result'], {encoding: 'utf8'}).matchAll(/^(\S+) \(([^)]*)\)\n {4}(.*)$/gm)].map((m) => [m[1], m[3]]));
  const shown = JSON.parse(await true_page.value(`(() => { const d = document.getElementById('figures'); d.open = true; return new Promise((done) => setTimeout(() => done(
    JSON.stringify([...d.querySelectorAll('tbody tr')].map((r) => [...r.cells].map((c) => c.textContent)))), 200)); })()`));
  const row = new Map(shown.map((r) => [r[0], r]));
  for (const [key, value] of Object.entries(files[0].summary)) {
    if (typeof value !== 'number') continue;
    const r = row.get(`summary.${key}`);
    check(r !== undefined, `summary.${key} is among every figure`);
    if (!r) continue;
    check(near(Number(r[1]), value, 0.0006) || value === 0, `summary.${key} reads ${r[1]}, is ${value}`);
    check(r[4] === declared.get(`summary.${key}`), `summary.${key} means "${r[4]}"`);
  }
  for (const cause of Object.keys(files[0].stall_stack_ns)) check(row.has(`stall_stack_ns.${cause}`), `${cause} is among every figure`);
  for (const m of files[0].memories) check(row.has(`memories[${m.name}].read_bytes`), `bytes of ${m.name} are among every figure`);
  await true_page.value(`document.getElementById('figures').open = false`);
  await keep(true_page, 'real_light');
});
