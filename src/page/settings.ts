/** What the visitor can set for a run; all but `seed` have a slider. */
export interface Settings {
  temperature: number;
  topK: number;
  topP: number;
  minP: number;
  typicalP: number;
  repetitionPenalty: number;
  frequencyPenalty: number;
  presencePenalty: number;
  maxNewTokens: number;
  seed: number;
}

export type Dial = Exclude<keyof Settings, 'seed'>;

export interface Range {
  min: number;
  /** Where the slider ends; `limit`, where given, is what may be typed. */
  max: number;
  limit?: number;
  step: number;
  /** The value that does nothing. */
  off?: number;
  /** Without effect when the most likely token is always taken. */
  samplingOnly: boolean;
}

export const ranges: Record<Dial, Range> = {
  temperature: { min: 0, max: 2, step: 0.01, samplingOnly: false },
  topK: { min: 0, max: 200, limit: 1_000_000, step: 1, off: 0, samplingOnly: true },
  topP: { min: 0.01, max: 1, step: 0.01, off: 1, samplingOnly: true },
  minP: { min: 0, max: 0.5, limit: 1, step: 0.005, off: 0, samplingOnly: true },
  typicalP: { min: 0.01, max: 1, step: 0.01, off: 1, samplingOnly: true },
  repetitionPenalty: { min: 1, max: 2, limit: 10, step: 0.01, off: 1, samplingOnly: false },
  frequencyPenalty: { min: 0, max: 2, step: 0.01, off: 0, samplingOnly: false },
  presencePenalty: { min: 0, max: 2, step: 0.01, off: 0, samplingOnly: false },
  maxNewTokens: { min: 1, max: 256, limit: 4096, step: 1, samplingOnly: false },
};

export const dials = Object.keys(ranges) as Dial[];

/** The dials that most visitors want; the others are folded away until one of them is used. */
export const commonDials: readonly Dial[] = ['temperature', 'topK', 'topP', 'maxNewTokens'];

export const maxSeed = 2 ** 32 - 1;

export const defaults: Omit<Settings, 'seed'> = {
  temperature: 0.8,
  topK: 40,
  topP: 1,
  minP: 0,
  typicalP: 1,
  repetitionPenalty: 1,
  frequencyPenalty: 0,
  presencePenalty: 0,
  maxNewTokens: 64,
};

export function randomSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]! % 1_000_000; // six digits: short enough to read out
}

/** `value` inside the dial's range and on its step, or undefined if it is no number. */
export function fitted(dial: Dial, value: number): number | undefined {
  const { min, max, limit = max, step } = ranges[dial];
  if (!Number.isFinite(value)) return undefined;
  const digits = decimals(step);
  return Number(Math.min(limit, Math.max(min, value)).toFixed(digits));
}

export function fittedSeed(value: number): number | undefined {
  return Number.isInteger(value) && value >= 0 && value <= maxSeed ? value : undefined;
}

/** `0.80`, `40`: as many digits as the dial's step has. */
export function shown(dial: Dial, value: number): string {
  return value.toFixed(decimals(ranges[dial].step));
}

function decimals(step: number): number {
  return step.toString().split('.')[1]?.length ?? 0;
}
