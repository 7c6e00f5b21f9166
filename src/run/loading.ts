import type { AdapterSource } from '../adapter/read.ts';
import type { CacheStore } from '../load/cache-store.ts';
import type { Checkpoint, Progress } from '../load/checkpoint.ts';
import { heard } from '../load/heard.ts';
import { type ConfigOf, openCheckpoint } from '../load/open.ts';
import type { Source, SourceOptions } from '../load/source.ts';
import { Changed } from '../load/versions.ts';
import type { BaseConfig, Kind } from '../model/family.ts';
import type { Backend, Batch, ProgramSize, WeightFormat } from '../plan/backend.ts';
import { type KvFormat, keyBytes } from '../plan/kv.ts';
import { part } from '../plan/part.ts';
import type { Plan, WeightSpec } from '../plan/plan.ts';
import { untilAborted } from '../plan/until-aborted.ts';
import type { Adapters, SetAdapterOptions } from './adapt.ts';
import { type Check, checkOptions, integer, isFunction, isSignal, isString, oneOf, refuse } from './check.ts';
import { fittingContext, memoryOfMachine, usualKv } from './context.ts';
import { Engine } from './engine.ts';
import type { DeviceInfo } from './language-model.ts';
import type { Device, Opened } from './open-device.ts';
import { checkBefore, fetchPart, onDevice, openFilled, waysTo, wayToOwn } from './open-device.ts';
import { weightFormats } from './weight-formats.ts';

export interface LoadOptions extends SourceOptions {
  /**
   * `auto` (default): WebGPU if there is a real adapter, else WebAssembly, else WebGPU in software, else plain
   * JavaScript (`cpu`). Or a device of the caller's, which stays open.
   */
  device?: 'auto' | 'webgpu' | 'wasm' | 'cpu' | Device;
  /**
   * How the weights are kept. `auto` (default): each as the file has it; where that is no format of ours (GGUF's other
   * quantised types), q8; in plain JavaScript, which would unpack them again for every token, f32 but for BF16. A model that
   * takes more than half of the machine's memory so, or more than WebAssembly has, is kept in the finest format that does not.
   */
  dtype?: 'auto' | WeightFormat;
  /**
   * How attention's keys and values are kept: `f32`; `f16`, which halves the memory of a text and what a token reads of it, at the
   * cost of rounding each to 11 bits; or `q8`, three eighths of it (docs/quantisation.md says what they cost). Heads must
   * be a multiple of 4 wide for the last two. By default `f16` on WebGPU beside weights in q8 or q4, else `f32`.
   */
  kv?: KvFormat;
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
  /**
   * The most tokens of a text. By default, and at most, what the model was made for, or as many as there is room for the keys and
   * values of: `model.device.reason` says so then.
   */
  contextLength?: number;
  /** Put on as `model.setAdapter` does, before the model is given: one of `loadAdapter`, a blend of them, or where one is. */
  adapter?: Adapters | AdapterSource;
  onProgress?: (progress: Progress) => void;
  /** Cancels the load, which then frees what it took and rejects with the signal's reason. */
  signal?: AbortSignal;
}

/** How often a GPU that is lost while a model is loaded is asked for again. */
const MOST_RETRIES = 2;

const devices = oneOf(...Object.keys(waysTo));

export const loadChecks: Record<keyof LoadOptions, Check> = {
  device: {
    expects: `${devices.expects}, or a GPUDevice`,
    accepts: (value) => devices.accepts(value) || isDevice(value),
  },
  dtype: oneOf('auto', 'f32', 'bf16', 'f16', 'q8', 'q4'),
  kv: oneOf('f32', 'f16', 'q8'),
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
  adapter: {
    expects: 'an adapter, or where one is',
    accepts: (value) => (typeof value === 'object' && value !== null) || isString.accepts(value),
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

/** What a loaded model does with adapters. */
interface Adaptable {
  setAdapter(adapters: Adapters, options: SetAdapterOptions): Promise<void>;
  dispose(): void;
}

/**
 * Opens a checkpoint of a kind and makes a model of it; where its files change meanwhile, it is opened anew.
 * @param call the function that the caller called, for messages
 */
export async function loadAs<K extends Kind, T extends Adaptable>(
  { call, kind }: { call: string; kind: K },
  source: Source,
  options: LoadOptions,
  make: (checkpoint: Checkpoint<ConfigOf[K]>, options: LoadOptions) => Promise<T>,
): Promise<T> {
  checkOptions(call, options, loadChecks);
  const { device = 'auto', dtype, kv, tune, threads, contextLength, adapter, ...opening } = options;
  if (threads !== undefined && device !== 'auto' && device !== 'wasm') {
    throw refuse('threads', threads, 'undefined: they are for device "wasm" or "auto"');
  }
  // Fetched while the checkpoint opens; a failure is told by who awaits it.
  fetchPart(device, threads).catch(() => {});
  const hearing = heard(options.onProgress, options.signal);
  // What is wrong with an adapter is told before the model's weights are fetched.
  const adapters = adapter === undefined ? undefined : await (await adapting()).adaptersOf(adapter, opening);
  for (let again = 0; ; again++) {
    try {
      const checkpoint = await openCheckpoint(source, { ...opening, ...hearing, kind, anew: again > 0 });
      const model = await make(checkpoint, { ...options, ...hearing });
      return adapters ? await withAdapter(model, adapters, options.signal) : model;
    } catch (error) {
      if (!(error instanceof Changed) || again === 2) throw error;
    }
  }
}

const adapting = () => part('What adapts models', () => import('./adapt.ts'));

async function withAdapter<T extends Adaptable>(model: T, adapters: Adapters, signal?: AbortSignal): Promise<T> {
  try {
    await model.setAdapter(adapters, { ...(signal && { signal }) });
    return model;
  } catch (error) {
    model.dispose();
    throw error;
  }
}

/** What a loaded model needs of its backend. */
export interface Needs {
  /** Positions of a text, and whether they may be fewer where there is no room for so many. */
  context: number;
  shortens?: boolean;
  /** The size of its programs, for texts of so many positions. */
  sizeOn(kind: Backend['kind'], context: number): ProgramSize;
  /** The shortest runs that use all of its kernels. */
  trials: readonly Batch[];
  chunk?: number | undefined;
}

/** How long texts may be, of a model with so many positions, or with relative ones. */
export function contextOf(
  { contextLength }: LoadOptions,
  { nCtx, isRelative = false }: { nCtx: number; isRelative?: boolean },
): number {
  if (contextLength === undefined || contextLength <= nCtx || isRelative) return contextLength ?? nCtx;
  throw refuse('contextLength', contextLength, `at most the ${nCtx} positions that the model has`);
}

/** What is said of a device once it is chosen. */
export type Chosen = Pick<DeviceInfo, 'dtype' | 'reason'> & Partial<Pick<DeviceInfo, 'check' | 'kv'>>;

/** A checkpoint's weights on a backend, what else is small having been read first. */
export interface Ready<Small> {
  engine: Engine;
  chosen: Chosen;
  small: Small;
}

/**
 * Reads what is small, then puts the weights on a device.
 * @param readSmall reads and checks tokenizer and settings: before the weights, and before a device is asked for
 * @param needsOf what the plan needs, once the small files are read
 */
export async function openEngine<Config extends BaseConfig, Small>(
  checkpoint: Checkpoint<Config>,
  { device = 'auto', dtype = 'auto', kv, tune, threads, onProgress, signal }: LoadOptions,
  readSmall: () => Promise<Small>,
  needsOf: (plan: Plan, small: Small) => Needs,
): Promise<Ready<Small>> {
  const report = (stage: Progress['stage'], loaded: number) => {
    onProgress?.({ stage, loaded, total: checkpoint.bytes, file: checkpoint.name });
    signal?.throwIfAborted();
  };
  refuseOdd(kv, planOf(checkpoint).plan); // whatever is wrong with the tensors is told first
  report('tokenizer', 0);
  const small = await untilAborted(readSmall(), signal);
  await checkpoint.settle?.(signal);
  const needs = needsOf(planOf(checkpoint).plan, small);
  const { trials, chunk, context } = needs;
  const { plan, weights } = planOf(checkpoint, context);
  const formatsOn = (backend?: Pick<Backend, 'kind' | 'capacity'>) =>
    weightFormats(checkpoint, plan, weights, dtype, backend);
  const { largest: largestWeight, bytes } = formatsOn();
  const { of: formatOf } = formatsOn({ kind: 'webgpu' });
  const chosen: Chosen = { dtype: 'f32', reason: '' };
  const kvOn = (kind: Backend['kind']) => kv ?? usualKv(kind, formatsOn({ kind }).dtype, plan);
  const { fitted, sizeFitted } = fitter(plan, needs, kvOn);
  const checked = { plan, size: needs.sizeOn('webgpu', context), formatOf, kv: kvOn('webgpu') };
  const check = checkBefore(checked, (found) => Object.assign(chosen, { check: found }));
  const sizeFor = (most: { each: number; all: number }) => (checked.size = sizeFitted('webgpu', bytes, most));
  const largest = Math.max(largestWeight, cacheBytes(plan, context, kv));
  const gpu = { ...checked, tune, bytes, largest, sizeFor, check, kvOn };

  const reopens = typeof device === 'string';
  const ways = reopens ? waysTo[device]({ ...gpu, threads }) : wayToOwn(device, gpu);
  let loading = signal; // a device lost later is replaced without the load's signal
  const fill = async ({ backend, reason }: Opened) => {
    const formats = formatsOn(backend);
    const { capacity = Number.POSITIVE_INFINITY } = backend; // a quarter more is there; half of what is left is for one text
    const most = { each: Number.POSITIVE_INFINITY, all: ((4 / 3) * capacity - formats.bytes) / 2 };
    const size = backend.kind === 'webgpu' ? checked.size : sizeFitted(backend.kind, formats.bytes, most);
    const reasons = [reason, backend.note, formats.reason, fitted.reason].filter(Boolean).join('; ');
    Object.assign(chosen, { dtype: formats.dtype, reason: reasons, kv: kvOn(backend.kind) });
    await fillBackend(backend, { checkpoint, plan, fitted, formatOf: formats.of, size, trials }, loading);
  };
  const engine = await Engine.open({
    plan,
    checkpoint,
    get context() {
      return fitted.context; // as it fits the backend that is opened
    },
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
    return { engine, chosen, small };
  } catch (error) {
    engine.dispose();
    throw error;
  }
}

/** How long texts may be, found with the size of a backend's programs. */
function fitter(plan: Plan, { context, shortens, sizeOn }: Needs, kvOn: (kind: Backend['kind']) => KvFormat) {
  const fitted = { context, reason: '' };
  const sizeFitted = (kind: Backend['kind'], weights: number, most: { each: number; all: number }) => {
    const room = { weights, most, machine: memoryOfMachine() };
    if (shortens) Object.assign(fitted, fittingContext(plan, kvOn(kind), context, room));
    return sizeOn(kind, fitted.context);
  };
  return { fitted, sizeFitted };
}

/** A checkpoint's plan, and its weights, which are all there. */
function planOf<Config extends BaseConfig>(checkpoint: Checkpoint<Config>, context?: number) {
  const plan = checkpoint.family.plan(checkpoint.config, context);
  return { plan, weights: checkpoint.check(plan.weights) };
}

/** Keys and values may be asked for so many texts at once; a smaller limit of the adapter is fine. */
const MOST_BEAMS = 8;

/** Bytes of the keys and values of so many texts in the widest layer that keeps them. */
function cacheBytes({ sources }: Plan, context: number, kv: KvFormat = 'f32'): number {
  const kept = [...sources.values()].filter(({ axis }) => axis !== 'rows');
  return Math.max(0, ...kept.map(({ nHead, headDim }) => MOST_BEAMS * context * 2 * nHead * keyBytes(kv, headDim)));
}

/** Puts the weights on a backend, whose kernels compile meanwhile, and tries them. */
async function fillBackend<Config extends BaseConfig>(
  backend: Backend,
  on: {
    checkpoint: Checkpoint<Config>;
    plan: Plan;
    fitted: { context: number };
    formatOf: (weight: WeightSpec) => WeightFormat;
    size: ProgramSize;
    trials: readonly Batch[];
  },
  signal: AbortSignal | undefined,
): Promise<void> {
  const { plan, formatOf, size } = on;
  const prepared = onDevice(() => backend.prepare?.(plan, size, formatOf));
  prepared.catch(() => {}); // awaited below
  // As its texts have fewer positions than the plan's, tables of positions are shorter.
  for (const weight of planOf(on.checkpoint, on.fitted.context).weights) {
    signal?.throwIfAborted();
    await Promise.race([prepared, undefined]); // what cannot be compiled needs no more weights
    const format = formatOf(weight);
    await backend.addWeight(weight, format, on.checkpoint.readFor(format, weight, signal));
  }
  await on.checkpoint.verify?.();
  await prepared;
  signal?.throwIfAborted();
  if (backend.kind === 'webgpu') await onDevice(() => tryOut(backend, plan, size, on.trials));
  signal?.throwIfAborted();
}

function refuseOdd(kv: LoadOptions['kv'], { sources }: Plan): void {
  const odd = [...sources.values()].find(({ headDim }) => headDim % 4 !== 0);
  if (kv === undefined || kv === 'f32' || !odd) return;
  throw refuse('kv', kv, `"f32", since this model has heads of ${odd.headDim}, no multiple of 4`);
}

/** A program of the size that texts will get, and a run or two of it: what a driver cannot do shows now. */
async function tryOut(backend: Backend, plan: Plan, size: ProgramSize, trials: readonly Batch[]): Promise<void> {
  const program = await backend.program(plan, size);
  try {
    for (const batch of trials) await program.run(batch);
  } finally {
    program.dispose();
  }
}
