// Measures the families beside transformers.js: both in one browser, by turns, on seeded weights in the shapes of known models,
// and on published ones where `npm run models` has fetched them.
//   npm run bench:families [-- --only vit,opus --device wasm,webgpu --format f32,q8 --threads 2 --repeats 5 --case greedy --profile --alone]
// `--alone` runs Vitrine by itself; `--profile` prints the steps that took longest.
import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright';
import { chromiumFlags, findBrowser } from '../scripts/browser.mjs';
import { serve } from '../scripts/serve.mjs';
import { compile } from './compile.mjs';
import { dtypeOf, folderOf, wordsOf } from './families/models.mjs';
import { families } from './families/shapes.mjs';
import { steps, table } from './families/table.mjs';
import { busyMs } from './memory.mjs';

const root = join(import.meta.dirname, '..');
const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    case: { type: 'string', default: '' },
    device: { type: 'string', default: 'wasm,webgpu' },
    format: { type: 'string', default: 'f32' },
    threads: { type: 'string', default: '2' },
    repeats: { type: 'string', default: '5' },
    profile: { type: 'boolean', default: false },
    alone: { type: 'boolean', default: false },
  },
});
const listed = (text) => text.split(',');
const chosen = (name, words) => listed(words).some((word) => name.includes(word));
for (const option of ['threads', 'repeats']) {
  if (!/^[1-9]\d*$/.test(values[option]))
    throw new Error(`--${option} wants a whole number from 1, not ${values[option]}.`);
}
for (const device of listed(values.device)) {
  if (!['wasm', 'webgpu'].includes(device)) throw new Error(`--device is ${device}; expected wasm or webgpu.`);
}
for (const format of listed(values.format)) {
  if (!['f32', 'q8'].includes(format)) throw new Error(`--format is ${format}; expected f32 or q8.`);
}

const npm = (...args) =>
  execFileSync('npm', args, { cwd: import.meta.dirname, stdio: ['ignore', 2, 2], shell: process.platform === 'win32' });
if (!existsSync(join(import.meta.dirname, 'node_modules')))
  npm('install', '--no-audit', '--no-fund', '--ignore-scripts');
if (!existsSync(join(root, 'dist/vitrine.js'))) npm('run', '--prefix', '..', 'build:library');
await compile();

/** In a browser of its own, so that no pair profits or suffers from another. */
async function runInBrowser(job, path) {
  const { url, close } = await serve(root);
  const browser = await chromium.launch({ executablePath: await findBrowser(), args: chromiumFlags });
  try {
    const page = await browser.newPage();
    page.on('console', (message) => process.stderr.write(`  ${message.text()}\n`));
    await page.exposeFunction('busyMs', () => busyMs(process.pid));
    await page.goto(new URL('bench/row.html', url).href);
    const asked = { ...job, source: new URL(`${path}/`, url).href };
    const found = await page.evaluate(async (asked) => {
      const { runPair } = await import('/bench/families/pair.mjs');
      return runPair(asked);
    }, asked);
    return { ...found, browser: `Chromium ${browser.version()}` };
  } finally {
    await browser.close();
    await close();
  }
}

const results = [];
for (const [name, { kind, cases }] of Object.entries(families)) {
  if (!chosen(name, values.only)) continue;
  for (const format of listed(values.format)) {
    const path = await folderOf(name, format);
    if (!path) {
      process.stderr.write(`${name}: its weights are not here; \`npm run models\` fetches them.\n`);
      break;
    }
    for (const device of listed(values.device)) {
      process.stderr.write(`${name}, ${format}, ${device}\n`);
      const job = {
        ...{ kind, device, format, dtype: dtypeOf(format), threads: Number(values.threads) },
        ...{ repeats: Number(values.repeats), profiles: values.profile, words: wordsOf(path) },
        cases: cases.filter((one) => chosen(one.name, values.case)),
        adapters: values.alone ? ['vitrine'] : ['vitrine', 'transformers'],
      };
      const found = await runInBrowser(job, path).catch((error) => ({ error: String(error.message).split('\n')[0] }));
      if (found.error) process.stderr.write(`  ${found.error}\n`);
      results.push({ name, format, device, threads: job.threads, ...found });
    }
  }
}
writeFileSync(join(root, '.cache/families/results.json'), `${JSON.stringify(results, null, 2)}\n`);
console.log(table(results));
if (values.profile) console.log(steps(results));
