import type { Step } from './plan.ts';
import { newTask } from './task.ts';

/** How long each step of a program takes, measured. */
export interface Profile {
  /** `gpu`: the GPU's own timestamps; `wall`: a clock of the CPU's around each step. */
  clock: 'gpu' | 'wall';
  /** Runs of each step, one behind the other, of which the mean is given. */
  repeats: number;
  /** In the order in which they run. */
  steps: StepTime[];
}

export interface StepTime {
  step: Step;
  /** Files of shaders/ that it was compiled from, as they are put together; none where no GPU runs it. */
  shaders: readonly string[];
  microseconds: number;
}

/** A profile of steps that run on this thread, which hears the signal between them. */
export async function profileOf(
  steps: readonly { step: Step; run(): void }[],
  repeats: number,
  signal: AbortSignal | undefined,
): Promise<Profile> {
  const timed: StepTime[] = [];
  for (const { step, run } of steps) {
    if (signal) await newTask();
    signal?.throwIfAborted();
    const start = performance.now();
    for (let i = 0; i < repeats; i++) run();
    timed.push({ step, shaders: [], microseconds: (1000 * (performance.now() - start)) / repeats });
  }
  return { clock: 'wall', repeats, steps: timed };
}
