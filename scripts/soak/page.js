// Mixed calls on models that are aborted, left, disposed and whose GPU is lost meanwhile; each result is held against
// that of an undisturbed run. scripts/soak.mjs drives it, and test/run/crash.e2e.test.ts uses its models and calls.
import { load } from '/dist/vitrine.js';
import { EngineWorker } from '/dist/vitrine-worker.js';
import { liveBuffers } from './buffers.js';

const source = new URL('/models/tiny-gpt2/', location.href).href;
const ids = (length, seed) => Array.from({ length }, (_, i) => (i * 29 + seed * 71) % 1000);
const free = { eosTokenId: null, maxNewTokens: 16 };
const edits = [{ name: 'blocks.0.hook_mlp_out', scale: 0.5 }];
const capture = ['blocks.0.attn.hook_pattern', 'blocks.1.hook_resid_post'];

async function streamed(model, options) {
  const found = [];
  for await (const token of model.generate(ids(30, 1), options)) found.push(token.id);
  return found;
}

/** What is asked of a model: numbers, or lists of tokens, that are the same whenever it is asked. */
export const calls = {
  stream: (model, signal) => streamed(model, { ...free, signal }),
  sampled: async (model, signal) =>
    (await model.complete(ids(20, 2), { ...free, temperature: 0.9, topK: 40, repetitionPenalty: 1.1, seed: 7, signal }))
      .ids,
  beams: async (model, signal) => (await model.complete(ids(24, 3), { ...free, numBeams: 3, signal })).ids,
  samples: async (model, signal) => {
    const options = { ...free, temperature: 1, seed: 5, numReturnSequences: 3, signal };
    return (await model.complete(ids(18, 4), options)).sequences.flatMap((sequence) => sequence.ids);
  },
  banned: async (model, signal) => (await model.complete(ids(22, 5), { ...free, noRepeatNgramSize: 2, signal })).ids,
  sliding: async (model, signal) =>
    (await model.complete(ids(120, 6), { ...free, onContextFull: 'slide', signal })).ids,
  edited: async (model, signal) => (await model.complete(ids(26, 7), { ...free, edits, signal })).ids,
  trace: async (model, signal) => [...(await model.trace(ids(25, 8), { capture, edits, signal })).get(capture[1]).data],
  score: async (model, signal) => (await model.score(ids(60, 9), { signal })).logprobs.slice(1),
  logits: async (model, signal) => [...(await model.logits(ids(100, 10), { signal })).data],
  weight: async (model, signal) => [...(await model.weight('wpe.weight', { signal })).data],
  profile: async (model, signal) => [(await model.profile(ids(12, 11), { repeats: 2, signal })).steps.length],
};

/** Ways to a model; `options` of the load are added. */
export const lanes = {
  webgpu: (options) => load(source, { device: 'webgpu', cache: false, ...options }),
  wasm: (options) => load(source, { device: 'wasm', cache: false, ...options }),
  worker: (options) => engine().load(source, { device: 'webgpu', cache: false, ...options }),
};

let engineWorker;
function engine() {
  engineWorker ??= new EngineWorker(new Worker(new URL('./worker.js', import.meta.url), { type: 'module' }));
  return engineWorker;
}

/** Equal token for token; numbers that are no ids within what rounding may do. */
export function same(found, expected) {
  if (found.length !== expected.length) return false;
  return found.every((value, i) => Math.abs(value - expected[i]) <= 2e-3 * Math.max(1, Math.abs(expected[i])));
}

const expected = new Map();
const unhandled = [];
addEventListener('unhandledrejection', ({ reason }) => unhandled.push(String(reason)));
const channel = new BroadcastChannel('soak');
let workerBuffers = [];
channel.onmessage = ({ data }) => {
  if (data.unhandled) unhandled.push(data.unhandled);
  else if (Array.isArray(data)) workerBuffers = data;
};

/** The undisturbed run of every call on a lane. */
export async function begin(lane) {
  const model = await lanes[lane]();
  for (const [name, call] of Object.entries(calls)) expected.set(`${lane} ${name}`, await call(model));
  await model.dispose();
}

/** Calls side by side on a lane until the time is over, when the model is disposed under them. */
export async function round(lane, milliseconds, seed) {
  const end = performance.now() + milliseconds;
  const tally = { calls: 0, aborted: 0, disposed: 0, slowestAbortMs: 0, wrong: [] };
  const model = await lanes[lane]().catch((error) => {
    tally.wrong.push(`${lane} load: ${error.code ?? error.name} ${error.message}`);
  });
  if (!model) return tally;
  const streams = [0, 1].map(async (stream) => {
    const next = random(seed * 2 + stream);
    while (performance.now() < end) await one(model, lane, next, tally);
  });
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, end - performance.now())));
  await model.dispose();
  await Promise.all(streams);
  return tally;
}

async function one(model, lane, next, tally) {
  const names = Object.keys(calls);
  const name = names[Math.floor(next() * names.length)];
  const abort = new AbortController();
  let abortedAt;
  const timer =
    next() < 0.3 &&
    setTimeout(() => {
      abortedAt = performance.now();
      abort.abort();
    }, next() * 300);
  try {
    const found = await calls[name](model, abort.signal);
    tally.calls++;
    if (abortedAt !== undefined) tally.wrong.push(`${lane} ${name}: a result came after the abort`);
    if (!same(found, expected.get(`${lane} ${name}`))) {
      const want = expected.get(`${lane} ${name}`);
      const at = found.findIndex((value, i) => !same([value], [want[i]]));
      tally.wrong.push(`${lane} ${name}: [${at}] is ${found[at]}, undisturbed ${want[at]}`);
    }
  } catch (error) {
    if (error === abort.signal.reason) {
      tally.aborted++;
      tally.slowestAbortMs = Math.max(tally.slowestAbortMs, performance.now() - abortedAt);
    } else if (error.code === 'disposed') tally.disposed++;
    else tally.wrong.push(`${lane} ${name}: ${error.code ?? error.name} ${error.message}`);
  } finally {
    clearTimeout(timer);
  }
}

/** mulberry32, in [0, 1). */
function random(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What is held where every model is disposed. */
export async function held() {
  channel.postMessage('buffers?');
  const { bytes } = await performance.measureUserAgentSpecificMemory();
  return { buffers: [...liveBuffers(), ...workerBuffers], bytes, unhandled };
}

globalThis.soak = { begin, round, held, lanes, calls, same };
