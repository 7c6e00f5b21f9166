// `npm run soak -- --minutes 30`: mixed calls on WebGPU, on WebAssembly and in the worker, side by side in Chromium, with
// aborts, models disposed under their calls, and the GPU's process killed once a minute. It fails on a wrong token, a leak
// of buffers or memory, a rejection that nobody heard, or an error that the GPU told nobody.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { findBrowser } from './browser.mjs';
import { openSoak } from './soak/site.mjs';

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '30' }, lanes: { type: 'string' } } });
const minutes = Number(values.minutes);
if (!(minutes > 0)) throw new Error(`--minutes is ${values.minutes}; expected a number above 0.`);
const lanes = values.lanes?.split(',') ?? ['webgpu', 'wasm', 'worker'];
/** Memory may still grow by so much after the first rounds, in which code is compiled and caches fill. */
const GROWTH = 1.15;
const SETTLED_AFTER = 3;

if (!existsSync(join(import.meta.dirname, '../dist/vitrine.js'))) {
  throw new Error('There is no built library: run `npm run build:library` first.');
}
const site = await openSoak({ browser: await findBrowser() });
const problems = [];
site.page.on('pageerror', (error) => problems.push(`page error: ${error.message}`));
site.page.on('crash', () => problems.push('the page crashed'));

for (const lane of lanes) {
  console.log(`undisturbed: ${lane}`);
  await site.page.evaluate((name) => soak.begin(name), lane);
}
const begun = Date.now();
const sums = { calls: 0, aborted: 0, disposed: 0, losses: 0, slowestAbortMs: 0 };
const memory = [];
let told = 0;
for (let round = 0; Date.now() - begun < minutes * 60_000 || round < 2; round++) {
  const running = Promise.all(
    lanes.map((lane, i) =>
      site.page.evaluate(([name, seed]) => soak.round(name, 55_000, seed), [lane, round * lanes.length + i]),
    ),
  );
  await new Promise((resolve) => setTimeout(resolve, 10_000 + ((round * 7919) % 30_000)));
  await site.crashGpu();
  sums.losses++;
  for (const tally of await running) {
    problems.push(...tally.wrong);
    for (const name of ['calls', 'aborted', 'disposed']) sums[name] += tally[name];
    sums.slowestAbortMs = Math.max(sums.slowestAbortMs, tally.slowestAbortMs);
  }
  const { buffers, bytes, unhandled } = await site.page.evaluate(() => soak.held());
  if (buffers.length > 0) problems.push(`${buffers.length} buffers are left: ${[...new Set(buffers)].join(', ')}`);
  problems.push(...unhandled.splice(0).map((reason) => `unhandled: ${reason}`));
  memory.push(bytes);
  const elapsed = ((Date.now() - begun) / 60_000).toFixed(1);
  console.log(
    `${elapsed} min: ${sums.calls} results, ${sums.aborted} aborted (slowest ${Math.round(sums.slowestAbortMs)} ms), ` +
      `${sums.disposed} disposed, ${sums.losses} losses; ${(bytes / 2 ** 20).toFixed(1)} MB, ${buffers.length} buffers; ` +
      `${problems.length} problems`,
  );
  for (const problem of problems.slice(told)) console.error(problem);
  told = problems.length;
  if (problems.length > 20) break;
}
const settled = memory.slice(SETTLED_AFTER);
const third = Math.floor(settled.length / 3);
if (third > 0) {
  const least = (list) => Math.min(...list); // garbage only adds
  const [first, last] = [least(settled.slice(0, third)), least(settled.slice(-third))];
  if (last > first * GROWTH) problems.push(`memory grew from ${first} to ${last} bytes`);
}
await site.close();
for (const problem of problems.slice(told)) console.error(problem);
console.log(problems.length > 0 ? `${problems.length} problems` : 'no problems');
process.exitCode = problems.length > 0 ? 1 : 0;
