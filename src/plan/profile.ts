import type { Step } from './plan.ts';

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

/** A profile of steps that run on this thread. */
export function profileOf(steps: readonly { step: Step; run(): void }[], repeats: number): Profile {
  const timed = steps.map(({ step, run }) => {
    const start = performance.now();
    for (let i = 0; i < repeats; i++) run();
    return { step, shaders: [], microseconds: (1000 * (performance.now() - start)) / repeats };
  });
  return { clock: 'wall', repeats, steps: timed };
}
