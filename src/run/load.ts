import { createCpuBackend } from '../cpu/backend.ts';
import { createGpuBackend } from '../gpu/backend.ts';
import { describe, requestDevice } from '../gpu/device.ts';
import type { Checkpoint, Progress } from '../load/checkpoint.ts';
import { openCheckpoint } from '../load/open.ts';
import type { Source, SourceOptions } from '../load/source.ts';
import { gpt2Plan } from '../model/gpt2.ts';
import type { Backend, WeightFormat } from '../plan/backend.ts';
import { VitrineError } from '../plan/error.ts';
import { packedBytes } from '../plan/formats.ts';
import type { Plan, WeightSpec } from '../plan/plan.ts';
import { loadTokenizer } from '../text/load.ts';
import { type Check, checkOptions, integer, isFunction, isSignal, isString, oneOf, refuse } from './check.ts';
import { Engine } from './engine.ts';
import { Model } from './model.ts';

export interface LoadOptions extends SourceOptions {
  /** `auto` (default): WebGPU if there is a real adapter, else the CPU. Or a device of the caller's, which stays open. */
  device?: 'auto' | 'webgpu' | 'cpu' | GPUDevice;
  /** How the weights are kept. `auto` (default): as the file has them; f32 where that is no format of ours (BF16). */
  dtype?: 'auto' | WeightFormat;
  /** The most tokens of a text; by default, and at most, what the model was made for. */
  contextLength?: number;
  /** No cache but the browser's own. */
  cache?: false;
  onProgress?: (progress: Progress) => void;
  /** Cancels the load, which then frees what it took and rejects with the signal's reason. */
  signal?: AbortSignal;
}

/** Where the weights go: makes a backend without any. `largest`: bytes of the largest weight. */
type Opener = (largest: number) => Promise<Backend>;

/** The devices there are, by the name that `device` gives them. */
const openers = { auto: openAuto, webgpu: openGpu, cpu: async () => createCpuBackend() } satisfies Record<
  string,
  Opener
>;

const devices = oneOf(...Object.keys(openers));

const checks: Record<keyof LoadOptions, Check> = {
  device: {
    expects: `${devices.expects}, or a GPUDevice`,
    accepts: (value) => devices.accepts(value) || isDevice(value),
  },
  dtype: oneOf('auto', 'f32', 'f16', 'q8', 'q4'),
  contextLength: integer(1),
  revision: isString,
  endpoint: isString,
  fetch: isFunction,
  cache: oneOf(false),
  onProgress: isFunction,
  signal: isSignal,
};

/** By its members: a device may come from another realm, or from Dawn. */
function isDevice(value: unknown): value is GPUDevice {
  return typeof (value as GPUDevice | null)?.createComputePipelineAsync === 'function';
}

/**
 * Loads a GPT-2 model: a hub id, a URL, a path or files (see `Source`).
 * @throws VitrineError with the code that tells what went wrong; whatever was allocated is freed. The signal's reason
 *   when it aborts.
 */
export async function load(source: Source, options: LoadOptions = {}): Promise<Model> {
  checkOptions('load', options, checks);
  const { device, dtype, contextLength, ...opening } = options;
  return loadCheckpoint(await openCheckpoint(source, opening), options);
}

/** Makes a model of an opened checkpoint. `chunk`: rows of a prefill run at once; results do not depend on it. */
export async function loadCheckpoint(
  checkpoint: Checkpoint,
  { device = 'auto', dtype = 'auto', contextLength, onProgress, signal }: LoadOptions,
  chunk?: number,
): Promise<Model> {
  const { config } = checkpoint;
  if (contextLength !== undefined && contextLength > config.nCtx) {
    throw refuse('contextLength', contextLength, `at most the ${config.nCtx} positions that the model has`);
  }
  const plan = gpt2Plan(config);
  const weights = checkpoint.check(plan.weights);
  const format = dtype === 'auto' ? formatOf(checkpoint.storedAs) : dtype;
  const formats = new Map(weights.map((weight) => [weight.name, formatFor(weight, plan, format)]));
  const largest = Math.max(...weights.map(({ name, rows, columns }) => packedBytes(formats.get(name)!, rows, columns)));
  const report = (stage: Progress['stage']) => {
    onProgress?.({ stage, loaded: checkpoint.bytes, total: checkpoint.bytes, file: checkpoint.name });
  };

  let open: Opener = typeof device === 'string' ? openers[device] : async () => openOwn(device);
  let loading = signal; // a device lost later is replaced without the load's signal
  const engine = await Engine.open({
    plan,
    context: contextLength ?? config.nCtx,
    chunk,
    reopens: typeof device === 'string',
    async open() {
      const backend = await open(largest);
      try {
        for (const weight of weights) {
          loading?.throwIfAborted();
          await backend.addWeight(weight, formats.get(weight.name)!, checkpoint.read(weight, loading));
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
  if (engine.current.kind === 'webgpu' && device === 'auto') open = openGpu;
  loading = undefined;
  try {
    report('tokenizer');
    const tokenizer = await loadTokenizer(await checkpoint.tokenizerFiles(), config.vocabSize);
    signal?.throwIfAborted();
    report('ready');
    return new Model(config, tokenizer, engine, format);
  } catch (error) {
    engine.dispose();
    throw error;
  }
}

async function openAuto(largest: number): Promise<Backend> {
  const gpu = await requestDevice(largest).catch((error: unknown) => {
    if (error instanceof VitrineError && error.code === 'no-webgpu') return undefined;
    throw error;
  });
  if (gpu && !gpu.fallback) return createGpuBackend(gpu.device, { adapter: gpu.adapter, owned: true });
  gpu?.device.destroy();
  return openers.cpu();
}

async function openGpu(largest: number): Promise<Backend> {
  const { device, adapter } = await requestDevice(largest);
  return createGpuBackend(device, { adapter, owned: true });
}

function openOwn(device: GPUDevice): Backend {
  return createGpuBackend(device, { adapter: describe(device.adapterInfo) });
}

/** The format nearest to a file's own. */
function formatOf(stored: Checkpoint['storedAs']): WeightFormat {
  return stored === 'bf16' || stored === 'other' ? 'f32' : stored;
}

/** A weight's format where the matrices are `format`: positions are few and stay exact, words need more than four bits. */
function formatFor(weight: WeightSpec, plan: Plan, format: WeightFormat): WeightFormat {
  if (
    weight.kind === 'vector' ||
    plan.steps.some((step) => step.op === 'positionEmbed' && step.weight === weight.name)
  ) {
    return 'f32';
  }
  const isWords = plan.steps.some((step) => step.op === 'embed' && step.weight === weight.name);
  return format === 'q4' && isWords ? 'q8' : format;
}
