/** How AdamW is set. */
export interface OptimiserOptions {
  learningRate: number;
  schedule: 'linear' | 'cosine' | 'constant';
  warmupSteps: number;
  weightDecay: number;
  betas: readonly [number, number];
  epsilon: number;
  /** Gradients are scaled down to this norm, of all of them together. */
  maxGradNorm: number;
}

/** The rate of step k (from 0) of so many. */
export function rateOf(step: number, steps: number, { learningRate, schedule, warmupSteps }: OptimiserOptions): number {
  if (step < warmupSteps) return (learningRate * (step + 1)) / warmupSteps;
  if (schedule === 'constant') return learningRate;
  const done = (step - warmupSteps) / (steps - warmupSteps);
  if (schedule === 'linear') return learningRate * (1 - done);
  return (learningRate * (1 + Math.cos(Math.PI * done))) / 2;
}

/** What AdamW remembers of a parameter: means of its gradients and of their squares. */
export interface Moments {
  first: Float32Array;
  second: Float32Array;
}

/** Of all gradients together, in double precision. */
export function normOf(gradients: readonly Float32Array[]): number {
  let sum = 0;
  for (const gradient of gradients) for (let i = 0; i < gradient.length; i++) sum += gradient[i]! * gradient[i]!;
  return Math.sqrt(sum);
}

/** What a step moves: a weight of two or more axes decays, and a head that begins at nothing learns at ten times the rate. */
interface Moved {
  values: Float32Array;
  moments: Moments;
  decays: boolean;
  isFast: boolean;
}

/** A step of all parameters, their gradients clipped by the norm of all of them. */
export function take(
  params: readonly Moved[],
  gradients: readonly Float32Array[],
  { norm, step, rate }: { norm: number; step: number; rate: number },
  options: OptimiserOptions,
): void {
  const scale = Math.min(1, options.maxGradNorm / (norm + 1e-6));
  for (const [i, { values, moments, decays, isFast }] of params.entries()) {
    const how = { step, rate: isFast ? 10 * rate : rate, scale, decay: decays ? options.weightDecay : 0 };
    adamW(values, gradients[i]!, moments, how, options);
  }
}

/**
 * A step of AdamW (Loshchilov & Hutter 2019), as torch.optim.AdamW takes it, in place.
 * @param step from 0
 * @param scale of the gradient, where it was clipped
 */
function adamW(
  values: Float32Array,
  gradient: Float32Array,
  { first, second }: Moments,
  { step, rate, scale, decay }: { step: number; rate: number; scale: number; decay: number },
  { betas: [beta1, beta2], epsilon }: Pick<OptimiserOptions, 'betas' | 'epsilon'>,
): void {
  const size = rate / (1 - beta1 ** (step + 1));
  const root = Math.sqrt(1 - beta2 ** (step + 1));
  for (let i = 0; i < values.length; i++) {
    const g = gradient[i]! * scale;
    first[i] = beta1 * first[i]! + (1 - beta1) * g;
    second[i] = beta2 * second[i]! + (1 - beta2) * g * g;
    values[i] = values[i]! * (1 - rate * decay) - (size * first[i]!) / (Math.sqrt(second[i]!) / root + epsilon);
  }
}
