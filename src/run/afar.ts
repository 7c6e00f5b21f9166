import type { Adapter } from '../adapter/adapter.ts';

/** How rooms above learn from a model that another thread runs; no user's call, hence no name. */
export const afar = Symbol('afar');

export interface Afar {
  /** A call of `vitrine/learn` by its name: what it gives is plain data. */
  ask(name: string, subjects: readonly unknown[], options: unknown): Promise<unknown>;
  /** A new run of `train`. */
  run(examples: unknown, options: unknown): FarRun;
}

/** A run of `train` in the other thread. */
export interface FarRun {
  /** @param what 'next' takes a step, 'return' ends it with what was learnt, 'end' forgets it and tells its state, 'memory' tells what it takes */
  ask(what: 'next' | 'return' | 'end' | 'memory', signal: AbortSignal | undefined): Promise<unknown>;
}

/** A model that another thread runs. */
export interface FarModel {
  /** @internal */
  readonly [afar]: Afar;
  setAdapter(adapter: Adapter): Promise<void>;
}

export const isFar = (model: unknown): model is FarModel =>
  typeof model === 'object' && model !== null && afar in model;
