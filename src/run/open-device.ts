import { hasRealAdapter, requestDevice } from '../gpu/device.ts';
import type { GpuChoices } from '../gpu/open.ts';
import type { Backend } from '../plan/backend.ts';
import { VitrineError } from '../plan/error.ts';
import type { KvFormat } from '../plan/kv.ts';
import { part } from '../plan/part.ts';
import { untilAborted } from '../plan/until-aborted.ts';
import type { Checked } from './canary/device-check.ts';
import type { DeviceCheck } from './canary/finding.ts';

/** A `GPUDevice`, by a member of its own: so a user's TypeScript need not know WebGPU. */
export interface Device {
  createComputePipelineAsync(descriptor: never): Promise<unknown>;
  readonly lost: Promise<unknown>;
}

/** The check of a load, fetched when there is a GPU to check. */
export function checkBefore(of: Checked, report: (check: DeviceCheck) => void): GpuChoices['check'] {
  let check: GpuChoices['check'] | undefined;
  return async (trial) => {
    check ??= (await part('The check of the GPU', () => import('./canary/device-check.ts'))).checkOf(of, report);
    return check(trial);
  };
}

/** What backends are told. */
export interface Choices extends GpuChoices {
  threads?: number | undefined;
  kvOn(kind: Backend['kind']): KvFormat;
}

/** A backend without weights, and why it is this one, for `model.device`. */
export interface Opened {
  backend: Backend;
  reason: string;
}

/** A way to a backend. `without`: what kept the ways before it from being taken. */
type Way = (without: string) => Promise<Opened>;

/** What a backend is opened with, and after. */
interface Opening {
  /** Puts the weights on it. */
  fill(opened: Opened): Promise<void>;
  /** How often a GPU that is lost meanwhile is asked for again. */
  retries: number;
  /** What kept other ways from being taken. */
  without: string;
  signal: AbortSignal | undefined;
}

/** The backends, each a file of its own: a page fetches only the one that it runs on. */
const gpuPart = () => part('The WebGPU backend', () => import('../gpu/open.ts'));
const wasmPart = () => part('The WebAssembly backend', () => import('../wasm/backend.ts'));

/** Fetches what runs where `device` leads: where any may be taken, to a real GPU or else to WebAssembly, whose kernels compile meanwhile. */
export async function fetchPart(device: Device | keyof typeof waysTo, threads?: number): Promise<void> {
  const mayBeGpu = device !== 'wasm' && device !== 'cpu' && !!globalThis.navigator?.gpu;
  if (mayBeGpu && (device !== 'auto' || (await hasRealAdapter()))) await gpuPart();
  else if (device === 'wasm' || device === 'auto') await (await wasmPart()).compileKernels({ threads });
}

const openWasm = async ({ threads, kvOn }: Choices) =>
  (await wasmPart()).createWasmBackend({ threads, kv: kvOn('wasm') });
const openCpu = async ({ kvOn }: Choices) =>
  (await part('The JavaScript backend', () => import('../cpu/backend.ts'))).createCpuBackend({ kv: kvOn('cpu') });

async function openGpu(gpu: Choices, accepts = (_: { fallback: boolean; adapter: string }) => {}): Promise<Backend> {
  const found = await requestDevice(gpu.largest, accepts);
  try {
    return await (await gpuPart()).gpuBackend(found, gpu);
  } catch (error) {
    found.device.destroy();
    throw error;
  }
}

const asked =
  (open: () => Promise<Backend>): Way =>
  async () => ({ backend: await open(), reason: 'asked for' });

/** The ways there are, by the name that `device` gives them, in the order in which they are tried. */
export const waysTo = {
  auto: (gpu) => [
    async () => ({ backend: await openGpu(gpu, refuseSoftware), reason: 'a real WebGPU adapter' }),
    (without) => openWithoutGpu(gpu, without),
  ],
  webgpu: (gpu) => [asked(() => openGpu(gpu))],
  wasm: (choices) => [asked(() => openWasm(choices))],
  cpu: (choices) => [asked(() => openCpu(choices))],
} satisfies Record<string, (gpu: Choices) => Way[]>;

/** The way to a device of the caller's. */
export const wayToOwn = (device: Device, gpu: Choices): Way[] => [
  asked(async () => (await gpuPart()).ownBackend(device as unknown as GPUDevice, gpu)),
];

function refuseSoftware({ fallback, adapter }: { fallback: boolean; adapter: string }): void {
  if (fallback) throw new VitrineError('no-webgpu', `The WebGPU adapter is software: ${adapter}.`);
}

async function openWithoutGpu(gpu: Choices, without: string): Promise<Opened> {
  try {
    return { backend: await openWasm(gpu), reason: without };
  } catch (error) {
    // No SIMD in this engine, or a Content-Security-Policy that forbids WebAssembly.
    if (!(error instanceof VitrineError && error.code === 'bad-option')) throw error;
    const software = without.includes('is software') ? await openGpu(gpu).catch(() => undefined) : undefined;
    return { backend: software ?? (await openCpu(gpu)), reason: `${without} ${error.message}` };
  }
}

/**
 * A backend opened by the first way that leads to one, and filled. A GPU that is lost meanwhile is asked for again; what else a GPU
 * is at fault for leads to the next way.
 * @throws VitrineError `no-webgpu`, `out-of-memory`, and `device-lost` where there are no retries; what `fill` throws for other
 *   reasons; the signal's reason
 */
export async function openFilled(ways: readonly Way[], { fill, retries, without, signal }: Opening): Promise<Backend> {
  let losses = 0;
  for (let i = 0; ; ) {
    let backend: Backend | undefined;
    try {
      const opening = ways[i]!(without);
      const opened = await untilAborted(opening, signal).catch((error: unknown) => {
        opening.then(({ backend }) => backend.dispose()).catch(() => {}); // nobody waits for it any more
        throw error;
      });
      backend = opened.backend;
      // Where a device is lost, some platforms leave what was asked of it pending for good.
      await untilAborted(Promise.race([fill(opened), backend.lost.then(lostWhileLoading)]), signal);
      return backend;
    } catch (error) {
      const failure = await failureOfGpu(error, backend);
      backend?.dispose();
      signal?.throwIfAborted();
      if (!failure) throw error;
      const isLost = failure.code === 'device-lost';
      if (isLost && losses++ < retries) continue;
      without = failure.hint ? failure.message.replace(` ${failure.hint}`, '') : failure.message;
      if (++i < ways.length) continue;
      if (!isLost || retries === 0) throw failure;
      throw new VitrineError('no-webgpu', `The GPU was lost ${losses} times in a row: ${without}`, {
        hint: "Restarting the browser may help; device: 'wasm' works without.",
        cause: failure,
      });
    }
  }
}

function lostWhileLoading(why: string): never {
  throw new VitrineError('device-lost', `The GPU was lost: ${why}`);
}

/** What a GPU is at fault for as a VitrineError, never a raw DOMException; undefined for what is not its fault. */
async function failureOfGpu(error: unknown, backend: Backend | undefined): Promise<VitrineError | undefined> {
  if (backend && backend.kind !== 'webgpu') return undefined;
  if (error instanceof VitrineError && error.code === 'device-lost') return error;
  // The loss may be told just after the failure that it caused.
  const late = new Promise<undefined>((resolve) => setTimeout(resolve, 50));
  const lost = await Promise.race([backend?.lost ?? late, late]);
  if (lost !== undefined) return new VitrineError('device-lost', `The GPU was lost: ${lost}`, { cause: error });
  if (error instanceof VitrineError) {
    return ['no-webgpu', 'out-of-memory', 'device-lost'].includes(error.code) ? error : undefined;
  }
  const { name } = (error ?? {}) as Partial<Error>;
  const isPlatforms = error instanceof DOMException || name === 'GPUPipelineError';
  return isPlatforms ? asFailure(error) : undefined;
}

/** Runs what only the device can fail at: whatever it throws is the GPU's fault. */
export async function onDevice<T>(act: () => Promise<T> | T): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw error instanceof VitrineError && error.code !== 'disposed' ? error : asFailure(error);
  }
}

function asFailure(cause: unknown): VitrineError {
  const hint = "Restarting the browser may help; device: 'wasm' works without.";
  return new VitrineError('no-webgpu', `The GPU failed: ${cause}`, { hint, cause });
}
