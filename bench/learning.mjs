// `npm run bench:learning`: what learning costs, on WebAssembly with two threads. A step of LoRA (rank 8, all linear layers of the
// blocks, 4 texts of 128 tokens) beside the forward of the same rows, all their logits with it, in the shapes of MiniLM and of GPT-2
// small; and the real MiniLM on 24 messages beside PyTorch (VITRINE_PYTHON: torch, transformers, peft), turn by turn in one run.
// With `--only adapter`, what a LoRA adapter costs a token (rank 8 on all of attention's layers) on one thread, and what a swap does.
// The library has to be built (`npm run build:library`). --only step,torch,adapter,soak  --steps 3  --dtype f32  --threads 2
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';

const root = join(import.meta.dirname, '..');
const { load, loadEncoder } = await import(join(root, 'dist/vitrine.js'));
const { train } = await import(join(root, 'dist/learn.js'));
const text = (value) => ({ type: 'string', default: value });
const { values } = parseArgs({
  options: { only: text('step,torch'), steps: text('3'), dtype: text('f32'), threads: text('2') },
});
const steps = Number(values.steps);
const on = { device: 'wasm', threads: Number(values.threads), dtype: values.dtype };

const gpt2 = join(root, '.cache/gpt2-small/');
const minilm = join(root, 'models/sentence-transformers/all-MiniLM-L6-v2/resolve/main/');
const texts = Array.from({ length: 4 }, (_, t) =>
  Array.from({ length: 128 }, (_, i) => 1000 + ((i * 7919 + t * 131) % 20000)),
);
/** A model of GPT-2 small's shape, made once. */
function small() {
  if (!existsSync(gpt2)) execFileSync(process.execPath, [join(root, 'tools/make-checkpoint.mjs'), gpt2]);
  return gpt2;
}
const least = (list) => Math.min(...list);
const busy = () => `load ${loadavg()[0].toFixed(1)}`;
const kilobytes = (bytes) => `${Math.round(bytes / 1e3)} kB`;
const megabytes = (bytes) => `${Math.round(bytes / 1e6)} MB`;

async function timed(work) {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1000;
}

/** Forward and step in turn: the least of each, because others may work on the machine. */
async function compare(name, model, examples, forward, options) {
  await forward();
  const before = process.memoryUsage().rss;
  const run = train(model, examples, { rank: 8, batchSize: 4, epochs: steps + 1, ...options });
  await run.next();
  const times = { forward: [], step: [] };
  for (let i = 0; i < steps; i++) {
    times.forward.push(await timed(forward));
    times.step.push(await timed(() => run.next()));
  }
  const [forwards, own] = [least(times.forward), least(times.step)];
  const more = megabytes(process.memoryUsage().rss - before);
  console.log(
    `${name}, ${values.dtype}: forward ${forwards.toFixed(2)} s, step ${own.toFixed(2)} s, ${(own / forwards).toFixed(2)} times; ${more} more in the process (${busy()})`,
  );
  await run.return();
  model.dispose();
}

async function stepTimes() {
  if (existsSync(minilm)) {
    const encoder = await loadEncoder(minilm, on);
    const examples = texts.map((ids, i) => ({ ids, label: i % 2 }));
    const inputs = texts.map((ids) => ({ ids }));
    await compare('MiniLM', encoder, examples, () => encoder.run(inputs), { labels: ['a', 'b'] });
  }
  const model = await load(small(), on);
  const forward = async () => {
    for (const ids of texts) await model.score(ids);
  };
  await compare(
    'GPT-2 small',
    model,
    texts.map((ids) => ({ ids })),
    forward,
  );
}

/** LoRA on the real MiniLM: its README's settings, 36 steps of 8 messages. */
async function besideTorch() {
  const python = process.env.VITRINE_PYTHON;
  const messages = join(root, 'test/fixtures/real/messages.json');
  if (!existsSync(minilm) || !python) return console.log('The real MiniLM, or VITRINE_PYTHON, is not there.');
  const { train: examples } = JSON.parse(readFileSync(messages, 'utf8'));
  const torch = spawn(python, [join(root, 'bench/learning/torch_lora.py'), minilm, messages], {
    env: { ...process.env, OMP_NUM_THREADS: '2' },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: torch.stdout })[Symbol.asyncIterator]();
  await lines.next();
  const times = { vitrine: [], torch: [] };
  for (let i = 0; i < steps; i++) {
    torch.stdin.write('go\n');
    times.torch.push(Number((await lines.next()).value));
    const encoder = await loadEncoder(minilm, on);
    const options = { rank: 8, alpha: 16, epochs: 12, batchSize: 8, learningRate: 1e-3, schedule: 'constant', seed: i };
    times.vitrine.push(
      await timed(async () => {
        for await (const _ of train(encoder, examples, options));
      }),
    );
    encoder.dispose();
  }
  torch.stdin.end();
  const [own, theirs] = [least(times.vitrine), least(times.torch)];
  console.log(
    `LoRA on MiniLM, 36 steps: ${own.toFixed(2)} s, PyTorch ${theirs.toFixed(2)} s, ${(own / theirs).toFixed(2)} times (${busy()})`,
  );
}

/** Seconds of the processor, so that who else works on the machine counts for little. */
async function worked(work) {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

/** A token of GPT-2 small's shape with an adapter and without, in turn, after a prompt of 32; and how long swapping takes. */
async function adapterCost() {
  const { dtype } = values;
  const models = {
    wasm: await load(small(), { device: 'wasm', threads: 1, dtype }),
    cpu: await load(small(), { device: 'cpu', dtype }),
  };
  const adapters = [];
  for (const seed of [1, 2]) {
    const how = { rank: 8, targets: ['attn.c_attn', 'attn.c_proj'], steps: 1, seed };
    const run = train(models.wasm, [{ ids: texts[0].slice(0, 16) }], how);
    for await (const _ of run);
    adapters.push(run.adapter);
  }
  for (const [device, model] of Object.entries(models)) {
    const [tokens, turns] = device === 'cpu' ? [4, steps] : [16, 3 * steps];
    const seconds = { base: [], adapted: [] };
    const swaps = { 'at hand': [], 'brought anew': [] };
    for (let turn = 0; turn <= turns; turn++) {
      for (const side of ['base', 'adapted']) {
        const adapter = side === 'base' ? null : adapters[0];
        await model.setAdapter(adapter);
        const stream = model.generate(texts[0].slice(0, 32), { maxNewTokens: tokens + 1, eosTokenId: null });
        await stream.next(); // the prompt
        const own = await worked(async () => {
          for await (const _ of stream);
        });
        if (turn > 0) seconds[side].push(own / tokens);
      }
      // Taking an adapter off frees what it brought: the other one comes anew, and the first is at hand.
      for (const [i, how] of ['brought anew', 'at hand'].entries()) {
        const swap = await worked(() => model.setAdapter(adapters[1 - i]));
        await model.logits([1]);
        if (turn > 0) swaps[how].push(1000 * swap);
      }
    }
    const middle = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];
    const ratios = seconds.adapted.map((own, i) => own / seconds.base[i]);
    const told = Object.entries(swaps).map(([how, list]) => `${middle(list).toFixed(1)} ms ${how}`);
    const [base, own] = [middle(seconds.base), middle(seconds.adapted)].map((of) => (1000 * of).toFixed(1));
    console.log(
      `an adapter on ${device}, ${dtype}: a token ${own} ms of the processor, without ${base} ms, ${middle(ratios).toFixed(3)} times (the middle of ${turns}); ` +
        `a swap ${told.join(', ')} (${busy()})`,
    );
    model.dispose();
  }
}

/**
 * Many steps of the embedded model: what the process holds must not grow. `node --expose-gc bench/learning.mjs --only soak --steps 10000`
 * says at each tenth what lives on the heap and beside it, and all that the process holds.
 */
async function soak() {
  const model = await load(`${join(root, 'public/models/tiny-tales')}/`, on);
  const examples = ['Tom had a ball.', 'Sue had a cat.', 'The dog ran.', 'A bird sang.'].map((one) => ({ text: one }));
  const run = train(model, examples, { rank: 4, batchSize: 4, steps, learningRate: 1e-4, schedule: 'constant' });
  console.log(`a run takes ${kilobytes((await run.memory()).bytes)}`);
  const first = {};
  for await (const { step, loss } of run) {
    if ((step + 1) % Math.ceil(steps / 10) !== 0) continue;
    globalThis.gc?.();
    const { heapUsed, arrayBuffers, external, rss } = process.memoryUsage();
    const held = { heapUsed, arrayBuffers, external, rss };
    if (!first.rss) Object.assign(first, held);
    const told = Object.entries(held).map(
      ([of, bytes]) => `${of} ${kilobytes(bytes)} (${kilobytes(bytes - first[of])})`,
    );
    console.log(`step ${step + 1}: loss ${loss.toFixed(4)}, ${told.join(', ')} (${busy()})`);
  }
  model.dispose();
}

for (const part of values.only.split(','))
  await { step: stepTimes, torch: besideTorch, adapter: adapterCost, soak }[part]();
