import { VitrineError } from '../plan/error.ts';
import { PATIENCE, within } from '../plan/patience.ts';

/** A device asked for by Vitrine, with what the adapter says of itself. */
export interface Gpu {
  device: GPUDevice;
  /** Vendor, architecture and description, as far as the browser tells. */
  adapter: string;
  /** A software renderer: it works, but the CPU does the work. */
  fallback: boolean;
}

/** Features that are used where they are: kernels have variants for the first, and times are taken by the second. */
const usefulFeatures: GPUFeatureName[] = ['subgroups', 'timestamp-query'];

/**
 * Asks for the fastest adapter and a device with only the limits and features that are used.
 * @param largestBinding bytes of the largest buffer a kernel would bind in one piece; a smaller limit makes it come in parts
 * @throws VitrineError `no-webgpu`
 */
async function requestOnce(largestBinding: number): Promise<Gpu> {
  const gpu = globalThis.navigator?.gpu;
  if (!gpu) {
    throw new VitrineError('no-webgpu', 'There is no WebGPU here.', {
      hint: "Use a current Chrome, Edge, Safari or Firefox over https or localhost, or device: 'cpu'.",
    });
  }
  const adapter = await answered(gpu.requestAdapter({ powerPreference: 'high-performance' }), 'an adapter');
  if (!adapter) {
    throw new VitrineError('no-webgpu', 'WebGPU is there, but it offers no adapter.', {
      hint: "Hardware acceleration may be switched off in the browser's settings; device: 'cpu' works without.",
    });
  }
  const requiredLimits: Record<string, number> = {};
  for (const name of ['maxStorageBufferBindingSize', 'maxBufferSize'] as const) {
    // The defaults are granted anyway: 128 MiB a binding, 256 MiB a buffer.
    const wanted = Math.min(largestBinding, adapter.limits[name]);
    if (wanted > (name === 'maxBufferSize' ? 2 ** 28 : 2 ** 27)) requiredLimits[name] = wanted;
  }
  try {
    const requiredFeatures = usefulFeatures.filter((name) => adapter.features.has(name));
    const requested = adapter.requestDevice({ requiredLimits, requiredFeatures });
    const device = await answered(requested, 'a device').catch((error: unknown) => {
      requested.then((late) => late.destroy()).catch(() => {});
      throw error;
    });
    return { device, adapter: describe(adapter.info), fallback: isSoftware(adapter.info) };
  } catch (cause) {
    if (cause instanceof VitrineError) throw cause;
    throw new VitrineError('no-webgpu', `The adapter ${describe(adapter.info)} gave no device: ${cause}`, { cause });
  }
}

/** As `requestOnce`, and once more after a moment: who asks while the GPU's process begins anew is told that there is no GPU. */
export async function requestDevice(largestBinding: number): Promise<Gpu> {
  return requestOnce(largestBinding).catch(async (error: Error) => {
    if (!globalThis.navigator?.gpu || /has not answered/.test(error.message)) throw error;
    await new Promise((resolve) => setTimeout(resolve, 400));
    return requestOnce(largestBinding);
  });
}

/** A browser whose GPU process hangs never answers. */
function answered<T>(request: Promise<T>, what: string): Promise<T> {
  return within(PATIENCE, request, `WebGPU was asked for ${what} and has not answered`).catch((cause: Error) => {
    if (!/has not answered/.test(cause.message)) throw cause;
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
