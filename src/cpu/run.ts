import type { Adjoint } from '../plan/adjoint.ts';
import type { Batch } from '../plan/backend.ts';
import type { KvFormat } from '../plan/kv.ts';
import { type AxisSizes, type Plan, type Step, widthOf } from '../plan/plan.ts';
import type { CpuWeight } from './weights.ts';

/** Keys and values of a source, each [places, nHead, headDim]. */
export interface KeyCache {
  nHead: number;
  headDim: number;
  k: Float32Array;
  v: Float32Array;
}

/** The keys of a source that a row sees: places [first, first + count). `place` is that of the row's own. */
export interface Places {
  place: number;
  first: number;
  count: number;
}

/** What the steps of a run work on. */
export interface Run {
  plan: Plan;
  batch: Batch;
  sizes: AxisSizes;
  /** What keys and values are rounded to. */
  kv?: KvFormat;
  tensor(name: string): Float32Array;
  weight(name: string): CpuWeight;
  cache(source: string): KeyCache;
  places(source: string): Places[];
  /** Performs the steps of a gradient; for a plan that has any. */
  adjoint?: ((step: Adjoint, run: Run) => void) | undefined;
}

/** A weight that is kept as f32. */
export const vector = (name: string, run: Run): Float32Array => run.weight(name).packed.values as Float32Array;

/** Length of a tensor's rows. */
export const widthIn = (name: string, { plan }: Run): number => widthOf(plan.tensors.get(name)!);

/** The most keys of a source that a row sees. */
export const keysOf = (source: string, { plan, sizes }: Run): number =>
  sizes[plan.sources.get(source)!.axis === 'source' ? 'source' : 'context'];

export function unfused({ op }: Step): never {
  throw new Error(`The CPU backend runs plans as written: it has no fused ${op}.`);
}
