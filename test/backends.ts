import { afterAll } from 'vitest';
import { createCpuBackend } from '../src/cpu/backend.ts';
import { createGpuBackend, type GpuBackendOptions } from '../src/gpu/backend.ts';
import { describe, requestDevice } from '../src/gpu/device.ts';
import type { Variants } from '../src/gpu/kernels/linear.ts';
import type { Backend } from '../src/plan/backend.ts';
import { createWasmBackend } from '../src/wasm/backend.ts';
import { failOnUncaptured } from './uncaptured.ts';

export { isFull } from './full.ts';

/** A backend that op and model suites run over. */
export interface TestBackend {
  name: string;
  open(): Promise<Backend>;
}

/**
 * The environment's WebGPU: the browser's, or Dawn's in Node. Afterwards `navigator.gpu` is there in both, and what its
 * devices tell nobody fails the test.
 */
export async function testGpu(): Promise<GPU> {
  const inNode = typeof process !== 'undefined' && process.versions?.node;
  const gpu = inNode ? (await import('./dawn.ts')).dawn : navigator.gpu;
  if (!gpu) throw new Error('The tests need WebGPU, and this browser has none (see scripts/browser.mjs).');
  const adapter = await gpu.requestAdapter();
  if (!adapter) throw new Error('The tests need a WebGPU adapter, and there is none.');
  failOnUncaptured(Object.getPrototypeOf(adapter));
  return gpu;
}

let shared: Promise<GPUDevice> | undefined;

/**
 * The device that all tests of a process share, so that each pipeline is compiled once (in software a second each). A
 * test that counts, loses or destroys takes one of its own, by `requestDevice`. An error that no test caught fails the run.
 */
export function sharedDevice(): Promise<GPUDevice> {
  shared ??= openShared();
  return shared;
}

async function openShared(): Promise<GPUDevice> {
  await testGpu();
  const { device } = await requestDevice(0);
  void device.lost.then(() => {
    shared = undefined;
  });
  return compilingOnce(device);
}

/** Makes a device keep its pipelines: in software each takes up to a second, for every backend and stand-in anew. */
function compilingOnce(device: GPUDevice): GPUDevice {
  const create = device.createShaderModule.bind(device);
  const compile = device.createComputePipelineAsync.bind(device);
  const modules = new Map<string, GPUShaderModule>();
  const pipelines = new Map<GPUShaderModule, Map<string, Promise<GPUComputePipeline>>>();
  device.createShaderModule = (descriptor) => {
    const module = modules.get(descriptor.code) ?? create(descriptor);
    modules.set(descriptor.code, module);
    return module;
  };
  device.createComputePipelineAsync = (descriptor) => {
    const { module, constants } = descriptor.compute;
    const known = pipelines.get(module) ?? new Map<string, Promise<GPUComputePipeline>>();
    const key = JSON.stringify(constants);
    const pipeline = known.get(key) ?? compile(descriptor);
    pipelines.set(module, known.set(key, pipeline));
    return pipeline;
  };
  return device;
}

/** A device that has other limits or features, or does something otherwise; for the rest it is the one given. */
export function deviceWith(device: GPUDevice, other: Partial<GPUDevice>): GPUDevice {
  return new Proxy(device, {
    get(real, key) {
      if (Object.hasOwn(other, key)) return Reflect.get(other, key) as unknown;
      const value = Reflect.get(real, key, real) as unknown;
      return typeof value === 'function' ? value.bind(real) : value;
    },
    set: (real, key, value) => Reflect.set(real, key, value, real),
  });
}

const onShared = async (options: GpuBackendOptions = {}): Promise<Backend> => {
  const device = await sharedDevice();
  return createGpuBackend(device, { adapter: describe(device.adapterInfo), ...options });
};

/** Every backend there is here. One that cannot be had fails its suite: it is never skipped. */
export const backends: (TestBackend & { name: Backend['kind'] })[] = [
  { name: 'cpu', open: async () => createCpuBackend() },
  { name: 'webgpu', open: () => onShared() },
  { name: 'wasm', open: () => createWasmBackend() },
];

/** WebGPU with kernels that split their work in these ways, whatever suits the adapter. */
export const webgpuVariants = (variants: Partial<Variants>): TestBackend => ({
  name: `webgpu, ${Object.values(variants).join(' and ')}`,
  open: () => onShared({ variants }),
});

/** WebGPU with the kernels that real GPUs get; software adapters, as here, choose others by themselves. */
export const webgpuWorkgroups: TestBackend = {
  name: 'webgpu, workgroups',
  open: () => onShared({ variants: { row: 'lanes', tile: 'shared' }, attention: 'shared' }),
};

/** WebGPU with keys and values as halves, in both variants of attention. */
export const webgpuHalves: TestBackend[] = (['registers', 'shared'] as const).map((attention) => ({
  name: `webgpu, ${attention}, halves`,
  open: () => onShared({ attention, kv: 'f16' }),
}));

/** The same, opened at the first use and disposed after the file's last test: pipelines are compiled once. */
export function openedOnce({ name, open }: TestBackend): TestBackend {
  let backend: Promise<Backend> | undefined;
  afterAll(async () => (await backend)?.dispose());
  return {
    name,
    open() {
      backend ??= open();
      return backend;
    },
  };
}
