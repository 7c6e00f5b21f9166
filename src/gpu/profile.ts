import type { Step } from '../plan/plan.ts';
import type { Profile } from '../plan/profile.ts';
import type { Buffers } from './buffers.ts';
import { type Dispatch, encode } from './dispatch.ts';
import type { RunSizes } from './kernel.ts';
import type { Readback } from './readback.ts';
import { usage } from './usage.ts';

/** A step as it was compiled. */
export interface CompiledStep {
  step: Step;
  shaders: readonly string[];
  dispatches: readonly Dispatch[];
}

interface Measuring {
  device: GPUDevice;
  buffers: Buffers;
  readback: Readback;
  sizes: RunSizes;
  signal: AbortSignal | undefined;
}

/**
 * Times each step on the GPU. Browsers round timestamps to 100 µs or so, hence many runs to a measurement; a submit for
 * each step, because systems reset a GPU that is busy with one for seconds.
 */
export async function profileSteps(on: Measuring, steps: readonly CompiledStep[], repeats: number): Promise<Profile> {
  const byGpu = on.device.features.has('timestamp-query');
  const times = await (byGpu ? timestamps(on, steps, repeats) : wallTimes(on, steps, repeats));
  return {
    clock: byGpu ? 'gpu' : 'wall',
    repeats,
    steps: steps.map(({ step, shaders }, i) => ({ step, shaders, microseconds: times[i]! / repeats })),
  };
}

async function timestamps(
  { device, buffers, readback, sizes, signal }: Measuring,
  steps: readonly CompiledStep[],
  repeats: number,
): Promise<number[]> {
  const count = 2 * steps.length;
  const { querySet, times } = await buffers.allocate(`the times of ${steps.length} steps`, () => ({
    querySet: device.createQuerySet({ type: 'timestamp', count }),
    times: buffers.create('timestamps', 8 * count, usage.storage | QUERY_RESOLVE),
  }));
  const source = { buffer: times, bytes: 8 * count };
  try {
    for (const [i, { dispatches }] of steps.entries()) {
      // No further ahead than a step or two: what was submitted cannot be cancelled.
      await device.queue.onSubmittedWorkDone();
      signal?.throwIfAborted();
      buffers.alive();
      const timestampWrites = { querySet, beginningOfPassWriteIndex: 2 * i, endOfPassWriteIndex: 2 * i + 1 };
      submit(device, repeated(dispatches, repeats), sizes, { timestampWrites });
    }
    const reserved = await readback.reserve([source]);
    buffers.alive();
    const encoder = device.createCommandEncoder();
    encoder.resolveQuerySet(querySet, 0, count, times, 0);
    const values = await readback.read(encoder, reserved);
    const nanoseconds = new BigUint64Array(values.get(source)!.slice().buffer);
    return steps.map((_, i) => Math.max(0, Number(nanoseconds[2 * i + 1]! - nanoseconds[2 * i]!) / 1000));
  } finally {
    querySet.destroy();
    buffers.destroy(times);
  }
}

const QUERY_RESOLVE = 0x200;

async function wallTimes(
  { device, buffers, sizes, signal }: Measuring,
  steps: readonly CompiledStep[],
  repeats: number,
): Promise<number[]> {
  const times: number[] = [];
  for (const { dispatches } of steps) {
    await device.queue.onSubmittedWorkDone();
    signal?.throwIfAborted();
    buffers.alive();
    const start = performance.now();
    submit(device, repeated(dispatches, repeats), sizes);
    await device.queue.onSubmittedWorkDone();
    times.push(1000 * (performance.now() - start));
  }
  return times;
}

function submit(
  device: GPUDevice,
  dispatches: readonly Dispatch[],
  sizes: RunSizes,
  descriptor?: GPUComputePassDescriptor,
): void {
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass(descriptor);
  encode(pass, dispatches, sizes);
  pass.end();
  device.queue.submit([encoder.finish()]);
}

const repeated = (dispatches: readonly Dispatch[], times: number): Dispatch[] =>
  Array.from({ length: times }, () => dispatches).flat();
