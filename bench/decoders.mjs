// Measures decoders of Llama's kind beside transformers.js, wllama and native llama.cpp: all sides of a row are open at once and take
// turns, so that their ratios hold on a busy machine. Seeded weights in the shapes of SmolLM2-135M and Qwen2.5-0.5B, and the published
// SmolLM2-135M-Instruct where `npm run models` has fetched it.
//   npm run bench:decoders [-- --only smollm2 --format q8,q4 --device wasm,webgpu --threads 2 --repeats 3 --tokens 32 --peers wllama]
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { models, weightsOf } from './decoders/models.mjs';
import { openSides } from './decoders/sides.mjs';
import { table } from './decoders/table.mjs';
import { randomText } from './measure.mjs';

const root = join(import.meta.dirname, '..');
const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    format: { type: 'string', default: '' },
    device: { type: 'string', default: 'wasm' },
    peers: { type: 'string' },
    threads: { type: 'string', default: '2' },
    repeats: { type: 'string', default: '3' },
    tokens: { type: 'string', default: '32' },
  },
});
const listed = (text) => text.split(',');
const chosen = (name, words) => listed(words).some((word) => name.includes(word));
for (const option of ['threads', 'repeats', 'tokens']) {
  if (!/^[1-9]\d*$/.test(values[option]))
    throw new Error(`--${option} wants a whole number from 1, not ${values[option]}.`);
}
const peersOf = { wasm: ['transformers', 'wllama', 'llama-cpp'], webgpu: ['onnxruntime'] };
for (const device of listed(values.device)) {
  if (!peersOf[device]) throw new Error(`--device is ${device}; expected wasm or webgpu.`);
}

const npm = (...args) =>
  execFileSync('npm', args, { cwd: import.meta.dirname, stdio: ['ignore', 2, 2], shell: process.platform === 'win32' });
if (!existsSync(join(import.meta.dirname, 'node_modules')))
  npm('install', '--no-audit', '--no-fund', '--ignore-scripts');
if (!existsSync(join(root, 'dist/vitrine.js'))) npm('run', '--prefix', '..', 'build:library');

/** Milliseconds for the other sides' threads to fall asleep. */
const pause = 150;
/** A run of a prompt's length: whether its tokens count, or the time to the first alone. */
const lengths = [
  { length: 64, prefill: true, decode: true },
  { length: 256, prefill: true, decode: false },
  { length: 512, prefill: false, decode: true },
];

async function open(sides, { adapter, model, format, device, threads }) {
  const path = await models[model].source(adapter, format);
  if (path === undefined) return { adapter, absent: 'no such format' };
  const { ask, sourceOf } = await sides.start(adapter);
  const job = { adapter, source: sourceOf(path), device, weights: weightsOf(adapter, format), threads };
  try {
    return { adapter, ask, about: await ask('open', job), figures: {} };
  } catch (error) {
    return { adapter, absent: String(error.message).split('\n')[0] };
  }
}

/** One run of a side. */
async function turn({ ask, adapter, figures }, { length, prefill, decode }, prompt, decoded) {
  await new Promise((resolve) => setTimeout(resolve, pause));
  const { toFirst, perToken } = await ask('run', prompt, decode ? 1 + decoded : 1);
  const put = (name, { ms, busy }) => {
    const figure = (figures[name] ??= { ms: [], busy: [] });
    figure.ms.push(ms);
    if (busy >= 0) figure.busy.push(busy);
  };
  if (prefill) put(`prefill ${length}`, toFirst);
  if (decode) put(`token at ${length}`, perToken);
  const said = (kind) => `${kind.ms?.toFixed(1) ?? '-'} ms (${kind.busy?.toFixed(1)} of processors)`;
  process.stderr.write(`  ${adapter} ${length}: ${said(toFirst)}, a token ${said(perToken)}\n`);
}

async function measure(job) {
  const sides = await openSides();
  try {
    const adapters = ['vitrine', ...(values.peers ? listed(values.peers) : peersOf[job.device])];
    const opened = [];
    for (const adapter of adapters) {
      opened.push(await open(sides, { ...job, adapter }));
      const { about, absent } = opened.at(-1);
      process.stderr.write(`  ${adapter}: ${about ?? absent}\n`);
    }
    const present = opened.filter(({ absent }) => !absent);
    const words = await models[job.model].words();
    let texts = 0;
    // Compiles and warms up; the first tokens say whether all read the same text.
    const first = randomText(64, ++texts, words);
    for (const one of present) {
      one.tokens = (await one.ask('run', first, 9)).tokens;
      process.stderr.write(`  ${one.adapter}: ${one.tokens.slice(0, 4)}\n`);
    }
    for (let repeat = 0; repeat < job.repeats; repeat++) {
      for (const length of lengths) {
        const prompt = randomText(length.length, ++texts, words);
        for (const one of present) await turn(one, length, prompt, Number(values.tokens));
      }
    }
    for (const { ask } of present) await ask('close');
    return { browser: sides.browser, sides: opened.map(({ ask, ...rest }) => rest) };
  } finally {
    await sides.close();
  }
}

const results = [];
for (const [model, { formats, isThere }] of Object.entries(models)) {
  if (!chosen(model, values.only)) continue;
  if (isThere && !isThere()) {
    process.stderr.write(`${model}: its weights are not here; \`npm run models\` fetches them.\n`);
    continue;
  }
  for (const format of formats.filter((one) => chosen(one, values.format))) {
    for (const device of listed(values.device)) {
      process.stderr.write(`${model}, ${format}, ${device}\n`);
      const job = { model, format, device, threads: Number(values.threads), repeats: Number(values.repeats) };
      // One failure leaves the other rows.
      const found = await measure(job).catch((error) => ({ error: String(error.message).split('\n')[0], sides: [] }));
      if (found.error) process.stderr.write(`  ${found.error}\n`);
      results.push({ ...job, ...found });
      mkdirSync(join(root, '.cache/decoders'), { recursive: true });
      writeFileSync(join(root, '.cache/decoders/results.json'), `${JSON.stringify(results, null, 2)}\n`);
    }
  }
}
console.log(table(results));
