// SPDX-License-Identifier: Apache-2.0
// Bundles the page into one file: node build.mjs OUTPUT. The result has one placeholder, for the data.
import {build} from 'esbuild';
import {mkdirSync, readFileSync, renameSync, writeFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const output = process.argv[2] ?? join(here, 'dist', 'template.html');
const bundle = async (entry) => (await build({entryPoints: [join(here, 'src', entry)], bundle: true, minify: true, write: false, target: ['chrome100', 'firefox102', 'safari15.4'],
  format: entry.endsWith('.js') ? 'iife' : undefined, legalComments: 'eof', charset: 'utf8', logLevel: 'warning'})).outputFiles[0].text;

// A function as the replacement: "$&" in the code must stay as it is. "</script" inside the code would end it early.
const script = (await bundle('main.js')).replaceAll('</script', '<\\/script');
const style = await bundle('style.css');
const page = readFileSync(join(here, 'src', 'template.html'), 'utf8')
  .replace('/*MEMWALL_STYLE*/', () => style)
  .replace('/*MEMWALL_SCRIPT*/', () => script);
if (page.split('@MEMWALL_DATA@').length !== 2) throw new Error('the placeholder for the data must occur exactly once');
mkdirSync(dirname(output), {recursive: true});
writeFileSync(`${output}.part`, page);
renameSync(`${output}.part`, output);
console.log(`${output}: ${(page.length / 1024).toFixed(0)} KiB`);
