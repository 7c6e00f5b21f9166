import type { Plan, WeightSpec } from './plan.ts';

/** How the rows of a matrix are kept in memory (see formats.ts). Vectors are always f32. */
export type WeightFormat = 'f32' | 'f16' | 'q8' | 'q4';

/** One token of a batch: its id, its position in the text, and the slot (sequence of the KV cache) it belongs to. */
export interface Row {
  token: number;
  position: number;
  slot: number;
}

/** Rows run together. Rows of one slot must be in order of position, right after what the slot's cache already holds. */
export interface Batch {
  rows: Row[];
  /** Indices into `rows` whose logits are wanted; may be empty (a chunk in the middle of a prefill). */
  logitRows: number[];
}

export interface RunResult {
  /** [logitRows, vocabSize] */
  logits: Float32Array;
  /** The tensors the program keeps, each in its TensorSpec's shape (a `context` axis is `keys` long). */
  captured: Map<string, Float32Array>;
  /** Length of the `context` axis in `captured`: the largest position of the batch + 1. */
  keys: number;
}

/** Sizes fixed when a program is made; nothing grows later. */
export interface ProgramSize {
  /** Sequences in the KV cache. */
  slots: number;
  /** Positions per slot. */
  context: number;
  /** The most rows in one batch. */
  rows: number;
  /** The most logit rows in one batch. */
  logitRows: number;
}

/**
 * A plan made ready to run, with its own KV cache and activations. Runs are ordered: a run sees the cache as all
 * earlier runs left it, so callers may start a run before the last one's promise settles.
 */
export interface Program {
  readonly size: ProgramSize;
  /** Bytes of cache and activations. */
  readonly bytes: number;
  run(batch: Batch): Promise<RunResult>;
  /** Copies the first `length` cached positions of each `from` slot to its `to` slot, as if all at once (beams reorder). */
  copySlots(moves: { from: number; to: number }[], length: number): void;
  dispose(): void;
}

/** Where a plan runs: holds the weights, makes programs. */
export interface Backend {
  readonly kind: 'cpu' | 'webgpu' | 'wasm';
  /** The adapter or engine in words, as the platform names it. */
  readonly adapter: string;
  /** Bytes of weights held. */
  readonly bytes: number;
  /** Settles when the device is gone for good; never on a device that cannot be lost. */
  readonly lost: Promise<string>;
  /**
   * Takes one weight. `pieces` are its values in row order ([rows, columns], each piece a whole number of rows), and
   * may be reused by the caller after the next one is asked for.
   */
  addWeight(spec: WeightSpec, format: WeightFormat, pieces: AsyncIterable<Float32Array>): Promise<void>;
  /** Prepares a plan over the weights; names in `capture` are kept and returned by every run. */
  program(plan: Plan, size: ProgramSize, capture?: ReadonlySet<string>): Promise<Program>;
  /** Frees weights and programs. Safe to call twice. */
  dispose(): void;
}
