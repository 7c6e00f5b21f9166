import { intercept } from '../../bench/counting-device.ts';
import { MAP_READ, usage } from '../../src/gpu/usage.ts';
import { testGpu } from '../backends.ts';

/** A device that counts what its kernels ask their storage for beyond its ends, which browsers check and give back as something else. */
export interface WatchedDevice {
  device: GPUDevice;
  /** Which arrays were asked so since the last question, in which pipelines, and how often. */
  beyond(): Promise<string[]>;
}

/** Of one shader. */
const ARRAYS = 16;

/** A place as it is where the array has it; else it is counted, and the last one read in its stead. */
const within = `
@group(1) @binding(0) var<storage, read_write> timesBeyond: array<atomic<u32>, ${ARRAYS}>;
fn within(at: u32, length: u32, array: u32) -> u32 {
  if (at >= length) { atomicAdd(&timesBeyond[array], 1); }
  return min(at, length - 1);
}
`;

/** The arrays of storage that WGSL declares, without those of fixed length. */
const arraysOf = (code: string) =>
  [...code.matchAll(/var<storage[^>]*> (\w+): (array<|Batch)/g)].map(([, name, type]) =>
    type === 'Batch' ? `${name}.rows` : name!,
  );

/** WGSL that asks them through `within`. */
function watched(code: string): string {
  const functions = /^(@compute.*\n)?fn [\s\S]*?^\}/gm;
  return code.replace(functions, (body) => arraysOf(code).reduce(watchedIn, body)) + within;
}

function watchedIn(body: string, array: string, number: number): string {
  // A name of the function's own hides the array's.
  if (new RegExp(`\\b(let|var) ${array}\\b|\\b${array}: `).test(body)) return body;
  const asked = `${array}[`;
  let text = body;
  // From the last to the first, so that what stands in an index is done before it.
  for (let at = text.lastIndexOf(asked); at >= 0; at = at > 0 ? text.lastIndexOf(asked, at - 1) : -1) {
    if (/[\w.]/.test(text[at - 1] ?? '')) continue;
    const start = at + asked.length;
    const end = closing(text, start);
    text = `${text.slice(0, start)}within(${text.slice(start, end)}, arrayLength(&${array}), ${number})${text.slice(end)}`;
  }
  return text;
}

/** Where the bracket closes that was opened just before `from`. */
function closing(text: string, from: number): number {
  let at = from;
  for (let open = 1; open > 0; at++) open += { '[': 1, ']': -1 }[text[at]!] ?? 0;
  return at - 1;
}

/** A device of its own, as its kernels bind a buffer more than others may. */
export async function watchedDevice(): Promise<WatchedDevice> {
  const adapter = (await (await testGpu()).requestAdapter())!;
  const real = await adapter.requestDevice({
    requiredFeatures: (['subgroups'] as const).filter((name) => adapter.features.has(name)),
    requiredLimits: { maxStorageBuffersPerShaderStage: 9 },
  });
  const arrays = new Map<GPUShaderModule, string[]>();
  const counted: { label: string; arrays: string[]; times: GPUBuffer }[] = [];
  const groups = new Map<unknown, GPUBindGroup>();
  const pass = (target: GPUComputePassEncoder) =>
    intercept(target, {
      setPipeline(call, [pipeline]) {
        target.setBindGroup(1, groups.get(pipeline)!);
        return call();
      },
    });
  const device = intercept(real, {
    createShaderModule(_, [given]) {
      const descriptor = given as GPUShaderModuleDescriptor;
      const module = real.createShaderModule({ ...descriptor, code: watched(descriptor.code) });
      arrays.set(module, arraysOf(descriptor.code));
      return module;
    },
    async createComputePipelineAsync(call, [given]) {
      const { label = '', compute } = given as GPUComputePipelineDescriptor;
      const pipeline = (await call()) as GPUComputePipeline;
      const times = real.createBuffer({ size: 4 * ARRAYS, usage: usage.storage });
      counted.push({ label, arrays: arrays.get(compute.module)!, times });
      const entries = [{ binding: 0, resource: { buffer: times } }];
      groups.set(pipeline, real.createBindGroup({ layout: pipeline.getBindGroupLayout(1), entries }));
      return pipeline;
    },
    createCommandEncoder: (call) =>
      intercept(call() as GPUCommandEncoder, {
        beginComputePass: (call) => pass(call() as GPUComputePassEncoder),
      }),
  });
  const beyond = async () => {
    const all = await takeNumbers(
      real,
      counted.map(({ times }) => times),
    );
    return counted.flatMap(({ label, arrays }, i) =>
      arrays.flatMap((array, k) => (all[i * ARRAYS + k]! > 0 ? [`${array} in ${label}: ${all[i * ARRAYS + k]}`] : [])),
    );
  };
  return { device, beyond };
}

/** What is in these buffers, one behind the other; from then on they are zeros. */
async function takeNumbers(device: GPUDevice, buffers: readonly GPUBuffer[]): Promise<Uint32Array> {
  const bytes = 4 * ARRAYS;
  const staging = device.createBuffer({ size: bytes * buffers.length, usage: usage.staging });
  const encoder = device.createCommandEncoder();
  for (const [i, buffer] of buffers.entries()) {
    encoder.copyBufferToBuffer(buffer, 0, staging, bytes * i, bytes);
    encoder.clearBuffer(buffer);
  }
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(MAP_READ);
  const numbers = new Uint32Array(staging.getMappedRange()).slice();
  staging.destroy();
  return numbers;
}
