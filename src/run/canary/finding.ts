import type { Chosen } from '../../gpu/open.ts';

/**
 * How far a GPU may be from the CPU, whose sums are in float64. `mean`: root mean square of the differences, relative to that of
 * the results; `worst`: the largest difference, relative to the same. Sums in float32 are some 1e-6 off, and WGSL lets tanh be
 * 1e-5 off. Halves that are cut off instead of rounded are 2.4e-4 off, one per cent too much is 1e-2.
 */
export const TOLERANCE = { mean: 5e-5, worst: 1e-3 } as const;

/** What was found of one kernel. */
export interface Finding {
  /** What it computes. */
  op: string;
  /** For one row, as in writing, or for many, as in reading. */
  rows: 'one' | 'many';
  /** Differences from the CPU, relative to the root mean square of the results; NaN where no number was written. */
  error: { mean: number; worst: number };
  tolerance: { mean: number; worst: number };
  passed: boolean;
  /** What of the kernels may be at fault. */
  kernel: 'linear' | 'attention' | 'other';
  /** Time of the run, with all that is checked beside it, in milliseconds. */
  ms: number;
}

/** What was found of the GPU before a model was loaded, for `model.device.check`. */
export interface DeviceCheck {
  /** Whether the kernels, replaced ones included, compute what the CPU does. Where not, the model runs on another device. */
  passed: boolean;
  adapter: string;
  /** The variants of the kernels that run: for one row, for many, and attention's. */
  variants: { row: string; tile: string; attention: string };
  /** Variants that computed something else, and what. */
  replaced: { kernel: keyof Chosen | 'other'; variant: string; failed: Finding }[];
  /** How many comparisons were made, and the largest of their errors. */
  comparisons: number;
  error: { mean: number; worst: number };
  /** Time it took, compiling included, in milliseconds. */
  ms: number;
  /** Whether it is from an earlier visit: then nothing but a few bytes was tried now. */
  kept: boolean;
}

/** A comparison is failed by whatever is no number, too. */
export function compared(
  found: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: Finding['tolerance'] = TOLERANCE,
): Pick<Finding, 'error' | 'tolerance' | 'passed'> {
  let squares = 0;
  let differences = 0;
  let largest = 0;
  for (let i = 0; i < expected.length; i++) {
    const d = Math.abs(found[i]! - expected[i]!);
    squares += expected[i]! ** 2;
    differences += d * d;
    if (!(d <= largest)) largest = d;
  }
  const size = Math.sqrt(squares / expected.length) || 1;
  const error = { mean: Math.sqrt(differences / expected.length) / size, worst: largest / size };
  return { error, tolerance, passed: error.mean <= tolerance.mean && error.worst <= tolerance.worst };
}
