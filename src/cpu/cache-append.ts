import { asKept } from '../plan/kv.ts';
import type { StepOf } from '../plan/plan.ts';
import type { Run } from './run.ts';

/** Writes keys and values [rows, nHead, headDim] to each row's place. */
export function cacheAppend(step: StepOf<'cacheAppend'>, run: Run): void {
  const { nHead, headDim, ...cache } = run.cache(step.source);
  const width = nHead * headDim;
  for (const part of ['k', 'v'] as const) {
    const values = asKept(run.kv ?? 'f32', run.tensor(step[part]), headDim);
    for (const [r, { place }] of run.places(step.source).entries())
      cache[part].set(values.subarray(r * width, (r + 1) * width), place * width);
  }
}
