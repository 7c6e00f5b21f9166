import type { CacheStore } from '../load/cache-store.ts';
import type { Checkpoint, Progress } from '../load/checkpoint.ts';
import { heard } from '../load/heard.ts';
import { openCheckpoint } from '../load/open.ts';
import type { Source, SourceOptions } from '../load/source.ts';
import { Changed } from '../load/versions.ts';
import { gpt2Plan } from '../model/gpt2.ts';
import type { Backend, ProgramSize, WeightFormat } from '../plan/backend.ts';
import type { Plan } from '../plan/plan.ts';
import { untilAborted } from '../plan/until-aborted.ts';
import { loadTokenizer } from '../text/load.ts';
import { type Check, checkOptions, integer, isFunction, isSignal, isString, oneOf, refuse } from './check.ts';
import { chunkOn, Engine } from './engine.ts';
import type { DeviceInfo } from './language-model.ts';
import { Model } from './model.ts';
import {
  checkBefore,
  type Device,
  gpuPart,
  type Opened,
  onDevice,
  openFilled,
  waysTo,
  wayToOwn,
} from './open-device.ts';
import { sessionSize } from './session.ts';
import { weightFormats } from './weight-formats.ts';

export interface LoadOptions extends SourceOptions {
  /**
   * `auto` (default): WebGPU if there is a real adapter, else WebAssembly, else WebGPU in software, else plain
   * JavaScript (`cpu`). Or a device of the caller's, which stays open.
   */
  device?: 'auto' | 'webgpu' | 'wasm' | 'cpu' | Device;
  /**
   * How the weights are kept. `auto` (default): each as the file has it; where that is no format of ours, f32 (BF16) or q8
   * (GGUF's other quantised types); f32 in plain JavaScript, which would unpack them again for every token. A model that
   * takes more than half of the machine's memory so, or more than WebAssembly has, is kept in the finest format that does not.
   */
  dtype?: 'auto' | WeightFormat;
  /**
   * How attention's keys and values are kept: `f32` (default), or on WebGPU `f16`, which halves the memory of a text and
   * what a token reads of it, at the cost of rounding each key and value to 11 bits. Heads must be a multiple of 4 wide.
   */
  kv?: 'f32' | 'f16';
  /**
   * Whether WebGPU's kernels are chosen by measuring them on this adapter: once, before the first run, in at most 0.4 s; the
   * choice is kept for this adapter and these shapes. It changes results by no more than rounding. By default on real GPUs
   * with a model of 16 MB or more.
   */
  tune?: boolean;
  /**
   * Threads that WebAssembly works with, the caller's own included; by default those of the machine, at most 8. Where they
   * cannot be had (a page that is not cross-origin isolated, docs/hosts.md) it is one, and `model.device.reason` says why.
   */
  threads?: number;
  /** The most tokens of a text; by default, and at most, what the model was made for. */
  contextLength?: number;
  onProgress?: (progress: Progress) => void;
  /** Cancels the load, which then frees what it took and rejects with the signal's reason. */
  signal?: AbortSignal;
}

/** How often a GPU that is lost while a model is loaded is asked for again. */
const MOST_RETRIES = 2;
/** A KV cache may be asked for so many beams at once; a smaller limit of the adapter is fine. */
const MOST_BEAMS = 8;

const devices = oneOf(...Object.keys(waysTo));

const checks: Record<keyof LoadOptions, Check> = {
  device: {
    expects: `${devices.expects}, or a GPUDevice`,
    accepts: (value) => devices.accepts(value) || isDevice(value),
  },
  dtype: oneOf('auto', 'f32', 'f16', 'q8', 'q4'),
  kv: oneOf('f32', 'f16'),
  tune: oneOf(true, false),
  threads: integer(1, 64),
  contextLength: integer(1),
  revision: isString,
  endpoint: isString,
  token: isString,
  fetch: isFunction,
  cache: {
    expects: '"opfs", false, or an object with get and put',
    accepts: (value) => value === 'opfs' || value === false || isStore(value),
  },
  onProgress: isFunction,
  signal: isSignal,
};

/** By its members: a device may come from another realm, or from Dawn. */
function isDevice(value: unknown): value is Device {
  return typeof (value as Device | null)?.createComputePipelineAsync === 'function';
}

function isStore(value: unknown): boolean {
  const { get, put } = (value ?? {}) as Partial<CacheStore>;
  return typeof get === 'function' && typeof put === 'function';
}

/**
 * Loads a GPT-2 model: a hub id, a URL, a path or files (see `Source`).
 * @throws VitrineError with the code that tells what went wrong; whatever was allocated is freed. The signal's reason
 *   when it aborts.
 */
export async function load(source: Source, options: LoadOptions = {}): Promise<Model> {
  checkOptions('load', options, checks);
  const { device = 'auto', dtype, kv, tune, threads, contextLength, ...opening } = options;
  if (threads !== undefined && device !== 'auto' && device !== 'wasm') {
    throw refuse('threads', threads, 'undefined: they are for device "wasm" or "auto"');
  }
  // Fetched while the checkpoint opens; a failure is told by who awaits it.
  if (typeof device !== 'string' || device === 'webgpu' || (device === 'auto' && globalThis.navigator?.gpu))
    gpuPart().catch(() => {});
  const hearing = heard(options.onProgress, options.signal);
  for (let again = 0; ; again++) {
    try {
      const checkpoint = await openCheckpoint(source, { ...opening, ...hearing, anew: again > 0 });
      return await loadCheckpoint(checkpoint, { ...options, ...hearing });
    } catch (error) {
      if (!(error instanceof Changed) || again === 2) throw error;
    }
  }
}

/** Makes a model of an opened checkpoint. `chunk`: rows of a prefill run at once; results do not depend on it. */
export async function loadCheckpoint(
  checkpoint: Checkpoint,
  { device = 'auto', dtype = 'auto', kv = 'f32', tune, threads, contextLength, onProgress, signal }: LoadOptions,
  chunk?: number,
): Promise<Model> {
  const { config } = checkpoint;
  if (contextLength !== undefined && contextLength > config.nCtx) {
    throw refuse('contextLength', contextLength, `at most the ${config.nCtx} positions that the model has`);
  }
  const headDim = config.nEmbd / config.nHead;
  if (kv === 'f16' && headDim % 4 !== 0) {
    throw refuse('kv', kv, `"f32", since this model has heads of ${headDim}, no multiple of 4`);
  }
  const planned = () => {
    const plan = gpt2Plan(checkpoint.config);
    return { plan, weights: checkpoint.check(plan.weights) };
  };
  planned(); // whatever is wrong with the tensors is told first
  const report = (stage: Progress['stage'], loaded: number) => {
    onProgress?.({ stage, loaded, total: checkpoint.bytes, file: checkpoint.name });
    signal?.throwIfAborted();
  };
  // All that is small is read and checked before the weights, and before a device is asked for.
  report('tokenizer', 0);
  const tokenizerOf = async () => loadTokenizer(await checkpoint.tokenizerFiles(signal), config.vocabSize);
  const tokenizer = await untilAborted(tokenizerOf(), signal);
  await checkpoint.settle?.(signal);
  const { plan, weights } = planned();
  const formatsOn = (backend?: Pick<Backend, 'kind' | 'capacity'>) =>
    weightFormats(checkpoint, plan, weights, dtype, backend);
  const { largest, bytes } = formatsOn();
  const context = contextLength ?? config.nCtx;
  const cache = 2 * context * config.nEmbd * (kv === 'f16' ? 2 : 4);
  const { of: formatOf } = formatsOn({ kind: 'webgpu' });
  const size = sessionSize(1, { context, chunk: chunk ?? chunkOn.webgpu });
  const chosen: Pick<DeviceInfo, 'dtype' | 'reason' | 'check'> = { dtype: 'f32', reason: '' };
  const check = checkBefore({ plan, size, formatOf, kv }, (found) => Object.assign(chosen, { check: found }));
  const gpu = { kv, tune, bytes, largest: Math.max(largest, cache * MOST_BEAMS), plan, size, formatOf, check };

  const reopens = typeof device === 'string';
  const ways = reopens ? waysTo[device]({ ...gpu, threads }) : wayToOwn(device, gpu);
  let loading = signal; // a device lost later is replaced without the load's signal
  const fill = async ({ backend, reason }: Opened) => {
    if (kv === 'f16' && backend.kind !== 'webgpu') {
      throw refuse('kv', kv, `"f32" on ${backend.kind}; only device "webgpu" keeps halves`);
    }
    const formats = formatsOn(backend);
    Object.assign(chosen, {
      dtype: formats.dtype,
      reason: [reason, backend.note, formats.reason].filter(Boolean).join('; '),
    });
    const size = sessionSize(1, { context, chunk: chunk ?? chunkOn[backend.kind] });
    const prepared = onDevice(() => backend.prepare?.(plan, size, formats.of));
    prepared.catch(() => {}); // awaited below
    for (const weight of weights) {
      loading?.throwIfAborted();
      await Promise.race([prepared, undefined]); // what cannot be compiled needs no more weights
      await backend.addWeight(weight, formats.of(weight), checkpoint.read(weight, loading));
    }
    await prepared;
    loading?.throwIfAborted();
    if (backend.kind === 'webgpu') await onDevice(() => runFirstToken(backend, plan, size));
    loading?.throwIfAborted();
  };
  const engine = await Engine.open({
    plan,
    context,
    chunk,
    reopens,
    leaves: ways.length > 1,
    open({ lost, leaving, signal }) {
      // A GPU that is lost is replaced by a GPU, as long as the engine does not leave it.
      const left = lost === undefined ? ways : leaving ? ways.slice(1) : ways.slice(0, 1);
      const retries = lost === undefined && reopens ? MOST_RETRIES : 0;
      const how = { fill, retries, without: lost ?? '', signal: loading ?? signal };
      return openFilled(left, how).finally(() => checkpoint.close());
    },
  });
  loading = undefined;
  try {
    report('ready', checkpoint.bytes);
    const known = { ...checkpoint.config, bosTokenId: config.bosTokenId ?? tokenizer.eosId };
    return new Model(known, tokenizer, engine, chosen);
  } catch (error) {
    engine.dispose();
    throw error;
  }
}

/** A program of the size that texts will get, and one token through it: what a driver cannot do shows now. */
async function runFirstToken(backend: Backend, plan: Plan, size: ProgramSize): Promise<void> {
  const program = await backend.program(plan, size);
  try {
    await program.run({ rows: [{ token: 0, position: 0, slot: 0 }], logitRows: [0] });
  } finally {
    program.dispose();
  }
}
