// SPDX-License-Identifier: Apache-2.0
// What the checks of report pages share: `check_pages(async ({memwall, dir, check, ...}) => ...)`, run as
//   node check_SOMETHING.mjs MEMWALL CHROMIUM OUTPUT_DIR
// Exit code 1: something is wrong; every failure is printed.
import {execFileSync} from 'node:child_process';
import {mkdirSync, rmSync, statSync} from 'node:fs';
import {join, resolve} from 'node:path';
import {browser} from './browser.mjs';

export const near = (a, b, relative) => Math.abs(a - b) <= relative * Math.max(Math.abs(a), Math.abs(b));

export async function check_pages(body) {
  const [memwall, chromium, output] = process.argv.slice(2);
  const dir = resolve(output);
  rmSync(dir, {recursive: true, force: true});
  mkdirSync(dir, {recursive: true});
  let failures = 0;
  const check = (ok, what) => {
    if (ok) return;
    ++failures;
    console.error(`FAILED: ${what}`);
  };
  const b = await browser.start(chromium);
  try {
    await body({
      memwall, dir, check,
      /** Writes NAME.html from folders; returns its path. */
      report(name, ...folders) {
        const file = join(dir, `${name}.html`);
        execFileSync(memwall, ['report', ...folders, '-o', file, '--quiet']);
        return file;
      },
      /** Opens a page and waits until all its charts are drawn, within limit_ms where one is given. */
      async open(file, {limit_ms, ...options} = {}) {
        const page = await b.open(`file://${file}`, options);
        await page.until('document.documentElement.dataset.ready');
        const ready = Number(await page.value('document.documentElement.dataset.ready')), cpu = await page.cpu_ms();
        if (limit_ms === undefined) return page;
        console.log(`${file}: ${(statSync(file).size / 1e6).toFixed(2)} MB, all charts drawn after ${ready} ms (${cpu.toFixed(0)} ms of processor time)`);
        // The page's own processor time counts: other tests and programs use the machine, too.
        check(cpu < limit_ms, `open and drawn within ${limit_ms} ms of processor time, took ${cpu.toFixed(0)} ms (${ready} ms by the clock)`);
        return page;
      },
      /** Rows of a chart's data table as texts, the head first. */
      async chart(page, id) {
        return JSON.parse(await page.value(`(() => { const f = document.getElementById('${id}'); const b = f.querySelector('figcaption button'); if (b.getAttribute('aria-expanded') !== 'true') b.click();
          const t = f.querySelector('.data table'); const out = JSON.stringify([[...t.querySelectorAll('thead th')].map((n) => n.textContent), ...[...t.querySelectorAll('tbody tr')].map((r) => [...r.cells].map((c) => c.textContent))]); b.click(); return out; })()`));
      },
      /** Every figure has something drawn in it. */
      async all_drawn(page) {
        const empty = await page.value(`[...document.querySelectorAll('figure .chart')].filter((c) => { const s = c.querySelector('svg'); if (s) return s.querySelectorAll('path').length < 5;
          const v = c.querySelector('canvas'); if (!v) return true; const d = v.getContext('2d').getImageData(0, 0, v.width, v.height).data; return !d.some((x) => x !== 0); }).map((c) => c.id).join(' ')`);
        check(empty === '', `every chart is drawn, empty: ${empty}`);
      },
      /** A picture of the whole page for a person to look at; no errors, nothing fetched, no sideways scrolling. */
      async keep(page, name) {
        check(await page.value('document.documentElement.scrollWidth <= innerWidth'), `no sideways scrolling in ${name}`);
        await page.value(`document.querySelector('header').style.position = 'static'`);
        await page.picture(join(dir, `${name}.png`));
        check(page.errors.length === 0, `no console errors in ${name}: ${page.errors.join(' | ')}`);
        check(page.requests.length === 0, `nothing is fetched by ${name}: ${page.requests.join(' ')}`);
      },
    });
  } catch (error) {
    ++failures;
    console.error(error);
  } finally {
    await b.close();
  }
  console.log(failures ? `${failures} checks failed` : `all well; pictures are in ${dir}`);
  process.exit(failures ? 1 : 0);
}
