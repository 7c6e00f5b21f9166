import { VitrineError } from '../plan/error.ts';
import { PATIENCE, within } from '../plan/patience.ts';
import { MAP_READ, usage } from './usage.ts';

/** A device asked for by Vitrine, with what the adapter says of itself. */
export interface Gpu {
  device: GPUDevice;
  /** Vendor, architecture and description, as far as the browser tells. */
  adapter: string;
  /** A software renderer: it works, but the CPU does the work. */
  fallback: boolean;
}

const fastest: GPURequestAdapterOptions = { powerPreference: 'high-performance' };

type Accepts = (found: Omit<Gpu, 'device'>) => void;

/** Features that are used where they are: kernels have variants for the first, and times are taken by the second. */
const usefulFeatures: GPUFeatureName[] = ['subgroups', 'timestamp-query'];

/**
 * Asks for the fastest adapter and a device with only the limits and features that are used.
 * @param largestBinding bytes of the largest buffer that a kernel would bind in one piece (a weight, a layer's KV cache); where
 *   the limit is smaller a weight comes in parts
 * @param accepts told of the adapter before a device is asked of it; what it throws ends the request
 * @throws VitrineError `no-webgpu`
 */
async function requestOnce(largestBinding: number, accepts: Accepts): Promise<Gpu> {
  const gpu = globalThis.navigator?.gpu;
  if (!gpu) {
    const hint = "Use a current Chrome, Edge, Safari or Firefox over https or localhost, or device: 'cpu'.";
    throw new VitrineError('no-webgpu', 'There is no WebGPU here.', { hint });
  }
  const adapter = await attempt('WebGPU is there, but asking for an adapter failed', () =>
    answered(gpu.requestAdapter(fastest), 'an adapter'),
  );
  if (!adapter) {
    const hint = "Hardware acceleration may be switched off in the browser's settings; device: 'cpu' works without.";
    throw new VitrineError('no-webgpu', 'WebGPU is there, but it offers no adapter.', { hint });
  }
  const told = { adapter: describe(adapter.info), fallback: isSoftware(adapter.info) };
  accepts(told);
  const requiredLimits: Record<string, number> = {};
  for (const name of ['maxStorageBufferBindingSize', 'maxBufferSize'] as const) {
    // The defaults are granted anyway: 128 MiB a binding, 256 MiB a buffer.
    const wanted = Math.min(largestBinding, adapter.limits[name]);
    if (wanted > (name === 'maxBufferSize' ? 2 ** 28 : 2 ** 27)) requiredLimits[name] = wanted;
  }
  const requiredFeatures = usefulFeatures.filter((name) => adapter.features.has(name));
  // Drivers and polyfills offer what they then refuse; nothing of it is needed to compute.
  const wishes = [{ requiredLimits, requiredFeatures }, { requiredLimits }, {}];
  for (;;) {
    const wish = wishes.shift();
    try {
      const device = await attempt(`The adapter ${told.adapter} gave no device`, () => deviceOf(adapter, wish));
      return { device, ...told };
    } catch (error) {
      if (wishes.length === 0 || isSilence(error)) throw error;
    }
  }
}

/** Whether a GPU that is no software renderer is offered. */
export async function hasRealAdapter(): Promise<boolean> {
  const adapter = await navigator.gpu.requestAdapter(fastest);
  return adapter !== null && !isSoftware(adapter.info);
}

/** As `requestOnce`, and once more after a moment: who asks while the GPU's process begins anew is told that there is no GPU. */
export async function requestDevice(largestBinding: number, accepts: Accepts = () => {}): Promise<Gpu> {
  return requestOnce(largestBinding, accepts).catch(async (error: Error) => {
    if (isSilence(error) || !/offers no adapter|gave no device/.test(error.message)) throw error;
    await new Promise((resolve) => setTimeout(resolve, 400));
    return requestOnce(largestBinding, accepts);
  });
}

function deviceOf(adapter: GPUAdapter, wish: GPUDeviceDescriptor | undefined): Promise<GPUDevice> {
  const requested = adapter.requestDevice(wish);
  return answered(requested, 'a device').catch((error: unknown) => {
    requested.then((late) => late.destroy()).catch(() => {});
    throw error;
  });
}

/** Whatever the platform throws becomes `no-webgpu`. */
async function attempt<T>(what: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (cause) {
    if (cause instanceof VitrineError) throw cause;
    const hint = "Restarting the browser may help; device: 'cpu' works without.";
    throw new VitrineError('no-webgpu', `${what}: ${cause}`, { hint, cause });
  }
}

const isSilence = (error: unknown) => error instanceof Error && /has not answered/.test(error.message);

/** A browser whose GPU process hangs never answers. */
function answered<T>(request: Promise<T>, what: string): Promise<T> {
  return within(PATIENCE, request, `WebGPU was asked for ${what} and has not answered`).catch((cause: Error) => {
    if (!isSilence(cause)) throw cause;
    throw new VitrineError('no-webgpu', `${cause.message}.`, { hint: 'Restarting the browser may help.', cause });
  });
}

/** All that an adapter is called; nothing in Firefox, which tells no names. */
export function nameOf(info: GPUAdapterInfo | undefined): string {
  const parts = [info?.vendor, info?.architecture, info?.device, info?.description];
  return [...new Set(parts.filter((part) => part))].join(' ');
}

export function describe(info: GPUAdapterInfo | undefined): string {
  return nameOf(info) || `${info?.isFallbackAdapter ? 'software GPU' : 'GPU'} (name hidden by the browser)`;
}

/** A software renderer, by its flag or its name. */
export function isSoftware(info: GPUAdapterInfo | undefined): boolean {
  return info?.isFallbackAdapter === true || /swiftshader|llvmpipe|lavapipe/i.test(describe(info));
}

/**
 * Sends a few bytes to the device and reads them back: a device that is lost by its first work, or that cannot be read from, is
 * known before anything is compiled or fetched.
 * @throws VitrineError `device-lost`, `no-webgpu`
 */
export async function probe(device: GPUDevice): Promise<void> {
  const lost = device.lost.then(({ message, reason }) => {
    throw new VitrineError('device-lost', `The GPU was lost by its first work: ${message || reason}`);
  });
  lost.catch(() => {}); // later losses are told elsewhere
  const sent = crypto.getRandomValues(new Uint32Array(4));
  const [from, to] = [usage.storage, usage.staging].map((bits) => device.createBuffer({ size: 16, usage: bits }));
  const echo = attempt('The GPU failed at its first work', async () => {
    device.queue.writeBuffer(from!, 0, sent);
    const encoder = device.createCommandEncoder();
    encoder.copyBufferToBuffer(from!, 0, to!, 0, 16);
    device.queue.submit([encoder.finish()]);
    await to!.mapAsync(MAP_READ);
    const got = new Uint32Array(to!.getMappedRange().slice(0));
    if (sent.some((value, i) => value !== got[i])) throw new Error(`it was sent ${sent} and gave back ${got}`);
  });
  // The loss may be told just after the failure that it caused.
  const failed = echo.catch((error: unknown) => new Promise((_, fail) => setTimeout(() => fail(error), 50)));
  try {
    await Promise.race([failed, lost]);
  } finally {
    from!.destroy();
    to!.destroy();
  }
}
