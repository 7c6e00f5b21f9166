import type { Step } from '../plan/plan.ts';
import type { Profile, StepTime } from '../plan/profile.ts';
import type { Buffers } from './buffers.ts';
import { type Dispatch, encode } from './dispatch.ts';
import type { RunSizes } from './kernel.ts';
import { PassClock } from './pass-clock.ts';
import type { Readback } from './readback.ts';

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
  const { device, buffers, readback, sizes, signal } = on;
  const clock = await buffers.allocate('what times steps', () => new PassClock(device, buffers, readback));
  const timed: StepTime[] = [];
  try {
    for (const { step, shaders, dispatches } of steps) {
      // No further ahead than a step or two: what was submitted cannot be cancelled.
      await device.queue.onSubmittedWorkDone();
      signal?.throwIfAborted();
      const repeated = Array.from({ length: repeats }, () => dispatches).flat();
      const { gpu, wall } = await clock.time((pass) => encode(pass, repeated, sizes));
      timed.push({ step, shaders, microseconds: (1000 * (gpu ?? wall)) / repeats });
    }
  } finally {
    clock.destroy();
  }
  return { clock: clock.byGpu ? 'gpu' : 'wall', repeats, steps: timed };
}
