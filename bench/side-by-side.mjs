// What prompts that share runs cost, in Node on the processor, each beside what it is measured by, in turns:
//   node bench/side-by-side.mjs [tiny-tales] [gpt2-small] [--runs N] [--threads N]
// With one thread by the processor's time, which a busy machine does not change.
// 50 prompts on tiny-tales beside 50 sequences of one; GPT-2 small's shape in q8, 8 prompts and 8 calls at once beside one.
import { availableParallelism, loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { load } from '../dist/vitrine.js';
import { modelOf } from './models.mjs';

const root = join(import.meta.dirname, '..');
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { runs: { type: 'string', default: '3' }, threads: { type: 'string' } },
});
const median = (numbers) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1];
const threads = Number(values.threads ?? availableParallelism());
const now = () => (threads === 1 ? process.cpuUsage().user / 1000 : performance.now());

/** Tokens a second of each way, in turns, which are told their number; the first one warms up. */
async function compare(ways) {
  const rates = Object.fromEntries(Object.keys(ways).map((name) => [name, []]));
  for (let run = 0; run <= Number(values.runs); run++)
    for (const [name, way] of Object.entries(ways)) {
      const begun = now();
      const found = [await way(run)].flat();
      const tokens = found.flatMap((one) => one.sequences ?? [one]).reduce((sum, { ids }) => sum + ids.length, 0);
      if (run > 0) rates[name].push((1000 * tokens) / (now() - begun));
    }
  return Object.entries(rates).map(([name, list]) => [name, median(list)]);
}

function show(title, rows) {
  console.log(`\n${title}\n\n| | tokens a second | of the first row's |\n| --- | --- | --- |`);
  for (const [name, rate] of rows) console.log(`| ${name} | ${rate.toFixed(1)} | ${(rate / rows[0][1]).toFixed(2)} |`);
}

console.log(`${threads} threads, load ${loadavg()[0].toFixed(1)}`);
const wants = (name) => positionals.length === 0 || positionals.includes(name);

if (wants('tiny-tales')) {
  const model = await load(join(root, 'public/models/tiny-tales/'), { device: 'wasm', threads });
  const options = { maxNewTokens: 16, eosTokenId: null, temperature: 1, seed: 1 };
  const starts = [
    'Once upon a time',
    'One day',
    'The cat',
    'Lily',
    'There was a boy',
    'Tom and his dog',
    'In the park',
    'A bird',
  ];
  const prompts = Array.from({ length: 50 }, (_, i) => starts[i % starts.length]);
  show('tiny-tales, 50 texts of 16 tokens', [
    ...(await compare({
      '50 sequences of one prompt': () => model.complete('Once upon a time', { ...options, numReturnSequences: 50 }),
      '50 prompts': () => model.complete(prompts, options),
      '50 calls at once': () => Promise.all(prompts.map((prompt) => model.complete(prompt, options))),
    })),
  ]);
  model.dispose();
}
if (wants('gpt2-small')) {
  const model = await load(join(root, modelOf({ model: '' })), { device: 'wasm', dtype: 'q8', threads });
  const options = { maxNewTokens: 16, eosTokenId: null, temperature: 0 };
  // Others in each turn: what a model still has of a prompt it need not read again.
  const prompts = (turn) =>
    Array.from({ length: 8 }, (_, i) => Array.from({ length: 8 }, (_, j) => 1000 * i + 37 * j + 101 * turn));
  show("GPT-2 small's shape in q8, texts of 16 tokens after 8", [
    ...(await compare({
      'one prompt': (turn) => model.complete(prompts(turn)[0], options),
      '8 prompts': (turn) => model.complete(prompts(turn), options),
      '8 calls at once': (turn) => Promise.all(prompts(turn).map((prompt) => model.complete(prompt, options))),
    })),
  ]);
  model.dispose();
}
process.exit();
