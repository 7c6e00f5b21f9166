import { type Interceptors, intercept } from '../../bench/counting-device.ts';
import { deviceWith, sharedDevice, testGpu } from '../backends.ts';

/** What a GPU does otherwise than the real one. */
export interface Alterations {
  requestAdapter?: (ask: () => Promise<GPUAdapter | null>) => Promise<unknown>;
  requestDevice?: (
    ask: (descriptor?: GPUDeviceDescriptor) => Promise<GPUDevice>,
    descriptor: GPUDeviceDescriptor,
  ) => unknown;
  /** Methods of the device and of its queue. */
  device?: (real: GPUDevice) => Interceptors;
  queue?: (real: GPUDevice) => Interceptors;
  /** Members that the device has in place of its own. */
  members?: Record<string, unknown>;
  /** By default a real GPU's, so that `auto` takes it. */
  info?: unknown;
}

/** A stand-in for a device. */
export function altered(
  real: GPUDevice,
  { device, queue, members, info = { vendor: 'acme' } }: Alterations,
): GPUDevice {
  return intercept(real, device?.(real) ?? {}, {
    adapterInfo: info,
    queue: intercept(real.queue, queue?.(real) ?? {}),
    ...members,
  });
}

/** Runs `use` where `navigator.gpu` is altered; gives it the devices that were asked for. */
export async function withAltered<T>(how: Alterations, use: (devices: GPUDevice[]) => Promise<T>): Promise<T> {
  const gpu = await testGpu();
  const devices: GPUDevice[] = [];
  const { info = { vendor: 'acme' } } = how;
  const adapterOf = (real: GPUAdapter) =>
    intercept(
      real,
      {
        async requestDevice(_, [descriptor]) {
          const ask = (of?: GPUDeviceDescriptor) => real.requestDevice(of);
          const wish = descriptor as GPUDeviceDescriptor;
          const device = (await (how.requestDevice?.(ask, wish) ?? ask(wish))) as GPUDevice;
          devices.push(device);
          return altered(device, how);
        },
      },
      { info },
    );
  const stand = intercept(gpu, {
    async requestAdapter() {
      const ask = () => gpu.requestAdapter();
      const adapter = await (how.requestAdapter ? how.requestAdapter(ask) : ask());
      return adapter && adapterOf(adapter as GPUAdapter);
    },
  });
  const before = Object.getOwnPropertyDescriptor(navigator, 'gpu');
  Object.defineProperty(navigator, 'gpu', { value: stand, configurable: true });
  try {
    return await use(devices);
  } finally {
    if (before) Object.defineProperty(navigator, 'gpu', before);
    else delete (navigator as { gpu?: unknown }).gpu;
    for (const device of devices) device.destroy();
  }
}

/** For `requestDevice`: the device of the other tests, whose pipelines are compiled, and which nothing destroys. */
export async function sharedInstead(): Promise<GPUDevice> {
  return deviceWith(await sharedDevice(), { destroy: () => undefined });
}

/** A driver that makes something else of the shaders whose names contain `where`. */
export function miscompiled(where: string, edit: (code: string) => string): Alterations {
  return {
    device: (real) => ({
      createShaderModule(_, [given]) {
        const { label = '', code } = given as GPUShaderModuleDescriptor;
        const edited = label.includes(where) ? edit(code) : code;
        if (label.includes(where) && edited === code) throw new Error(`Nothing was altered in ${label}.`);
        return real.createShaderModule({ label, code: edited });
      },
    }),
  };
}

/** A device whose dispatches of pipelines with this name, from the nth one on, do something else. */
export function misdispatched(
  where: string,
  first: number,
  dispatch: (call: (x: number, y: number) => unknown, x: number, y: number) => void,
): Alterations {
  let dispatches = 0;
  const pass = (real: GPUComputePassEncoder) => {
    let isMeant = false;
    return intercept(real, {
      setPipeline(call, [pipeline]) {
        isMeant = (pipeline as GPUComputePipeline).label.includes(where);
        return call();
      },
      dispatchWorkgroups(call, [x, y = 1, z]) {
        if (!isMeant || dispatches++ < first) return call();
        return dispatch(
          (nx, ny) => nx * ny > 0 && real.dispatchWorkgroups(nx, ny, z as number),
          x as number,
          y as number,
        );
      },
    });
  };
  const encoder = (real: GPUCommandEncoder) =>
    intercept(real, { beginComputePass: (call) => pass(call() as GPUComputePassEncoder) });
  return { device: () => ({ createCommandEncoder: (call) => encoder(call() as GPUCommandEncoder) }) };
}
