// Measures Vitrine beside its peers: one run, one model, one browser.
//   npm run bench [-- --only wasm,q8 --quick --repeats 5 --threads 1,2 --prefill 64 --decode 16,512 --name NAME --keep]
//   npm run bench:wasm     the CPU part
//   npm run bench:native   the engine on Dawn in Node: SwiftShader, the driver that VK_ICD_FILENAMES names, or the
//                          system's own GPU with VITRINE_GPU=native
// `--keep` leaves the rows of an earlier run that are not measured now where they are; with `--only none` it measures the
// machine alone.
// `--only` takes words that must occur in a row's name, several of them separated by commas for any of them, and joined by
// + for all of them: --only vitrine+wasm,wllama.

import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const here = import.meta.dirname;
const { values } = parseArgs({
  options: {
    set: { type: 'string', default: 'all' },
    only: { type: 'string', default: '' },
    threads: { type: 'string', default: String(Math.min(8, availableParallelism())) },
    repeats: { type: 'string' },
    quick: { type: 'boolean', default: false },
    prefill: { type: 'string' },
    decode: { type: 'string' },
    name: { type: 'string' },
    keep: { type: 'boolean', default: false },
  },
});

const everyLength = { prefill: [64, 256, 1000], decode: [16, 64, 512, 1000] };
const sets = {
  all: { ...everyLength, title: 'In one browser' },
  wasm: { prefill: [64, 256], decode: [64, 512], title: 'On the CPU' },
  native: { ...everyLength, decode: [16, 512, 1000], title: 'On the GPU, outside of browsers (Dawn in Node)' },
};
const set = sets[values.set];
if (!set) throw new Error(`--set is ${values.set}; expected ${Object.keys(sets).join(' or ')}.`);
const count = (text, option) => {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1) throw new Error(`--${option} wants whole numbers from 1, not ${text}.`);
  return number;
};
const counts = (option) => values[option].split(',').map((text) => count(text, option));
const threads = counts('threads');
const repeats = count(values.repeats ?? (values.quick ? '1' : '3'), 'repeats');
const plan = { ...set, decodeTokens: values.quick ? 4 : 16, repeats };
if (values.quick && values.set !== 'wasm') Object.assign(plan, { prefill: [64], decode: [16] });
for (const option of ['prefill', 'decode']) if (values[option]) plan[option] = counts(option);

const npm = (...args) =>
  execFileSync('npm', args, { cwd: here, stdio: ['ignore', 2, 2], shell: process.platform === 'win32' });
// Without their install scripts, which fetch native builds that are not measured here.
if (!existsSync(join(here, 'node_modules'))) npm('install', '--no-audit', '--no-fund', '--ignore-scripts');
if (!existsSync(join(here, '../dist/vitrine.js'))) npm('run', '--prefix', '..', 'build:library');

const { allRows, nativeRows, rowName, wasmRows } = await import('./rows.mjs');
const { asText, words } = await import('./prompts.mjs');
const { run } = await import('./run-row.mjs');
const { report, withFormer } = await import('./report.mjs');
const { describeMachine } = await import('./machine.mjs');
const { compile } = await import('./compile.mjs');
await compile();

const wanted = values.only.split(',').map((group) => group.split('+'));
const rows = { all: allRows, wasm: wasmRows, native: nativeRows }[values.set]
  .flatMap((row) => (row.device === 'webgpu' ? [{ ...row, threads: 1 }] : threads.map((n) => ({ ...row, threads: n }))))
  .filter((row) => wanted.some((group) => group.every((word) => rowName(row).includes(word))));
if (rows.length === 0 && !values.keep) throw new Error(`--only ${values.only} leaves no row.`);

const measured = [];
for (const row of rows) {
  process.stderr.write(`${rowName(row)}, ${row.threads} threads\n`);
  const result = await run(row, { ...plan, words });
  if (result.error) process.stderr.write(`  ${result.error}\n`);
  const { tokens, ...figures } = result;
  measured.push({ name: rowName(row), ...row, ...figures, pieces: tokens?.map(asText) });
}
const name = values.name ?? values.set;
const machine = await describeMachine([...new Set([1, ...threads])]);
const now = { rows: measured, machine };
report(name, { title: set.title, plan, ...(values.keep ? withFormer(name, now) : now) });
