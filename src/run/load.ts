import type { GpuChoices } from '../gpu/open.ts';
import type { CacheStore } from '../load/cache-store.ts';
import type { Checkpoint, Progress } from '../load/checkpoint.ts';
import { untilAborted } from '../load/files.ts';
import { heard } from '../load/heard.ts';
import { openCheckpoint } from '../load/open.ts';
import type { Source, SourceOptions } from '../load/source.ts';
import { Changed } from '../load/versions.ts';
import { gpt2Plan } from '../model/gpt2.ts';
import type { Backend, WeightFormat } from '../plan/backend.ts';
import { VitrineError } from '../plan/error.ts';
import { part } from '../plan/part.ts';
import { loadTokenizer } from '../text/load.ts';
import { type Check, checkOptions, integer, isFunction, isSignal, isString, oneOf, refuse } from './check.ts';
import { chunkOn, Engine } from './engine.ts';
import { Model } from './model.ts';
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

/** A `GPUDevice`, by a member of its own: so a user's TypeScript need not know WebGPU. */
export interface Device {
  createComputePipelineAsync(descriptor: never): Promise<unknown>;
  readonly lost: Promise<unknown>;
}

/** Makes a backend without weights. `largest`: bytes of the largest of them. */
type Opener = (largest: number, choices: Choices) => Promise<Opened>;

interface Choices extends GpuChoices {
  threads?: number;
}

interface Opened {
  backend: Backend;
  /** Why this one, for `model.device`. */
  reason: string;
}

const asked = async (backend: Promise<Backend> | Backend): Promise<Opened> => ({
  backend: await backend,
  reason: 'asked for',
});

/** The backends, each a file of its own: a page fetches only the one that it runs on. */
const gpuPart = () => part('The WebGPU backend', () => import('../gpu/open.ts'));
const openWasm = async ({ threads }: Choices) =>
  (await part('The WebAssembly backend', () => import('../wasm/backend.ts'))).createWasmBackend({ threads });
const openCpu = async () =>
  (await part('The JavaScript backend', () => import('../cpu/backend.ts'))).createCpuBackend();

/** The devices there are, by the name that `device` gives them. */
const openers = {
  auto: openAuto,
  webgpu: (largest, choices) => asked(openGpu(largest, choices)),
  wasm: (_, choices) => asked(openWasm(choices)),
  cpu: () => asked(openCpu()),
} satisfies Record<string, Opener>;

const devices = oneOf(...Object.keys(openers));

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
  const plan = gpt2Plan(config);
  const weights = checkpoint.check(plan.weights);
  const formatsOn = (backend?: Backend) => weightFormats(checkpoint, plan, weights, dtype, backend);
  const { largest, bytes } = formatsOn();
  const choices: Choices = { kv, tune, threads, bytes };
  const report = (stage: Progress['stage'], loaded: number) => {
    onProgress?.({ stage, loaded, total: checkpoint.bytes, file: checkpoint.name });
    signal?.throwIfAborted();
  };
  // All that is small is read and checked before the weights, and before a device is asked for.
  report('tokenizer', 0);
  const tokenizerOf = async () => loadTokenizer(await checkpoint.tokenizerFiles(signal), config.vocabSize);
  const tokenizer = await untilAborted(tokenizerOf(), signal);

  let open: Opener = typeof device === 'string' ? openers[device] : () => asked(openOwn(device, choices));
  let reason = '';
  let loading = signal; // a device lost later is replaced without the load's signal
  const context = contextLength ?? config.nCtx;
  const engine = await Engine.open({
    plan,
    context,
    chunk,
    reopens: typeof device === 'string',
    async open() {
      const opening = open(largest, choices);
      const opened = await untilAborted(opening, loading).catch((error: unknown) => {
        opening.then(({ backend }) => backend.dispose()).catch(() => {}); // nobody waits for it any more
        throw error;
      });
      const { backend } = opened;
      if (kv === 'f16' && backend.kind !== 'webgpu') {
        backend.dispose();
        throw refuse('kv', kv, `"f32" on ${backend.kind}; only device "webgpu" keeps halves`);
      }
      const formats = formatsOn(backend);
      reason = [opened.reason, backend.note, formats.reason].filter(Boolean).join('; ');
      const size = sessionSize(1, { context, chunk: chunk ?? chunkOn[backend.kind] });
      // What fails here fails again, and is told, when the first program is made.
      backend.prepare?.(plan, size, formats.of).catch(() => {});
      try {
        for (const weight of weights) {
          loading?.throwIfAborted();
          await backend.addWeight(weight, formats.of(weight), checkpoint.read(weight, loading));
        }
        loading?.throwIfAborted();
        return backend;
      } catch (error) {
        backend.dispose();
        throw loading?.aborted ? loading.reason : error;
      } finally {
        checkpoint.close();
      }
    },
  });
  // What was once chosen stays: a lost GPU is replaced by a GPU.
  if (engine.current.kind === 'webgpu' && device === 'auto')
    open = async (bytes) => ({ backend: await openGpu(bytes, choices), reason });
  loading = undefined;
  try {
    report('ready', checkpoint.bytes);
    const known = { ...config, bosTokenId: config.bosTokenId ?? tokenizer.eosId };
    return new Model(known, tokenizer, engine, { dtype: formatsOn(engine.current).dtype, reason });
  } catch (error) {
    engine.dispose();
    throw error;
  }
}

async function openAuto(largest: number, choices: Choices): Promise<Opened> {
  let without = 'There is no WebGPU here.';
  const opener = globalThis.navigator?.gpu && (await gpuPart());
  const gpu = await opener?.requestDevice(largest).catch((error: unknown) => {
    if (!(error instanceof VitrineError && error.code === 'no-webgpu')) throw error;
    without = error.message.replace(` ${error.hint}`, '');
    return undefined;
  });
  const onGpu = () => opener!.gpuBackend(gpu!, choices);
  if (gpu && !gpu.fallback) return { backend: onGpu(), reason: 'a real WebGPU adapter' };
  if (gpu) without = `The WebGPU adapter is software: ${gpu.adapter}.`;
  try {
    const backend = await openWasm(choices);
    gpu?.device.destroy();
    return { backend, reason: without };
  } catch (error) {
    // No SIMD in this engine, or a Content-Security-Policy that forbids WebAssembly.
    if (!(error instanceof VitrineError && error.code === 'bad-option')) throw error;
    return { backend: gpu ? onGpu() : await openCpu(), reason: `${without} ${error.message}` };
  }
}

async function openGpu(largest: number, choices: Choices): Promise<Backend> {
  const { gpuBackend, requestDevice } = await gpuPart();
  return gpuBackend(await requestDevice(largest), choices);
}

async function openOwn(own: Device, choices: Choices): Promise<Backend> {
  return (await gpuPart()).ownBackend(own as GPUDevice, choices);
}
