import type { AxisSizes, Plan, WeightSpec } from './plan.ts';
import type { Profile } from './profile.ts';
import type { TokenScore } from './token-scores.ts';

/** How the rows of a matrix are kept in memory (see formats.ts). Vectors are always f32. */
export type WeightFormat = 'f32' | 'bf16' | 'f16' | 'q8' | 'q4';

/**
 * Whole rows [rows, columns] of a weight, in float32; or as a file has them, for the format that they are in already: Uint16 for bf16 and
 * f16, Uint8 for q8 and q4, as blocks of GGUF's Q8_0 and Q4_0.
 */
export type WeightRows = Float32Array | Uint16Array | Uint8Array;

/**
 * One row of a batch: its numbers, and the keys that it sees. A decoder's row sees those of its slot up to itself; an encoder's
 * sees all of its text, whose rows follow one another in the batch.
 */
export interface Row {
  token: number;
  position: number;
  /** The sequence of the cache. */
  slot: number;
  /** Which of several texts in one it belongs to; 0 if absent. */
  segment?: number;
  /** The place of its own keys among its slot's; `position` if absent. In a source of `rows` that is its place in the batch. */
  at?: number;
  /** The first of the keys that it sees, 0 if absent, and how many they are, all up to its own if absent. */
  first?: number;
  sees?: number;
  /** The places of the memory that it sees; of a row that fills the memory, `first` is the place that it takes. */
  memory?: { first: number; count: number };
}

/** Rows run together. Rows of one slot must be in order of position, right after what the slot's cache already holds. */
export interface Batch {
  rows: Row[];
  /** Indices into `rows` whose logits are wanted; may be empty (a chunk in the middle of a prefill). */
  logitRows: number[];
  /** An id for each logit row: to be judged where the logits are, which then are not read back. */
  targets?: number[];
  /** The numbers of a plan with `input`, [rows, width]. */
  input?: Float32Array;
  /** The run is of the plan's encoder, or of its gradient. */
  encodes?: boolean | 'backward';
  /** What a plan's loss compares the logits with, [logitRows, 1 or n], and what its gradient is multiplied by (see adjoint.ts). */
  labels?: Float32Array;
  lossScale?: number;
}

/** A row of logits, and what a backend may have made of it: their logSumExp and the first id of the largest, of finite ones alone. */
export interface LogitRow {
  logits: Float32Array<ArrayBuffer>;
  total?: number;
  best?: number;
}

export interface RunResult {
  /** [logitRows, vocabSize]; empty where targets were judged instead. */
  logits: Float32Array;
  /** What is known of each row of logits. */
  totals?: Omit<LogitRow, 'logits'>[];
  /** Of the batch's targets. */
  scores: TokenScore[];
  /** Those of the tensors that the program keeps which this run makes, each in its TensorSpec's shape, its axes those of `sizes`. */
  captured: Map<string, Float32Array>;
  /** Lengths of the axes; `context` and `source` are the most keys that a row sees. */
  sizes: AxisSizes;
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
  /** Places of the memory, and the most rows of a run of the encoder; only where the plan has one. */
  source?: number;
  /** The most keys that a row sees of a source, where that is known to be less than all. */
  sees?: number;
}

/** Sampling that a backend can do by itself. Meaning and order are those of src/run/sampling.ts. */
export interface DrawSettings {
  /** 0: greedy. */
  temperature: number;
  /** 0: off. */
  topK: number;
  /** 1: off. */
  topP: number;
  /** 0: off. */
  minP: number;
  /** 1: off. */
  repetitionPenalty: number;
  frequencyPenalty: number;
  presencePenalty: number;
  logitBias: ReadonlyMap<number, number>;
  /** Low and high half of the seed, and the number of the sequence: the key of the random numbers (src/run/random.ts). */
  seed: readonly [low: number, high: number];
  sequence: number;
  /** How many of the likeliest ids to report for each token. */
  topLogprobs: number;
  /** Ids that end the text. */
  ends: readonly number[];
}

export interface DecodeRequest {
  /** What is still to be run: the rest of the prompt, or the last token alone. All of one slot. */
  rows: Row[];
  /** The whole text so far, for the penalties; `generated` is the part that was drawn. */
  prompt: readonly number[];
  generated: readonly number[];
  /** Most tokens to draw; the caller sees to it that they fit the context. */
  limit: number;
  settings: DrawSettings;
  /** How long one submit may hold up the stream, or a Stop, in milliseconds; the backend's choice if absent. */
  submitMs?: number;
  /** Submits nothing more once it aborts. */
  signal?: AbortSignal | undefined;
}

/** A token drawn by the backend; log-probabilities are those of the raw logits. */
export interface Drawn {
  id: number;
  logprob: number;
  top: { id: number; logprob: number }[];
}

/**
 * A plan made ready to run, with its own KV cache and activations. Runs are ordered: a run sees the cache as all
 * earlier runs left it, so callers may start a run before the last one's promise settles.
 */
export interface Program {
  readonly size: ProgramSize;
  /** Bytes of cache and activations. */
  readonly bytes: number;
  /** Where nothing is to be read back it settles when the run before it is done: two at most wait on the device. */
  run(batch: Batch): Promise<RunResult>;
  /** Runs a batch as `run` does, but each step by itself and `repeats` times, to measure it. The plan must be without edits. */
  profile(batch: Batch, repeats: number, signal?: AbortSignal): Promise<Profile>;
  /** Limits of `decode`: settings beyond them take the slower path through `run`. */
  readonly drawLimits?: { topLogprobs: number; ends: number };
  /**
   * Draws token after token without waiting for the caller: each is fed to the next step on the device. Yields the
   * tokens of one submit at a time, the end token included; at most two submits run ahead of the caller.
   */
  decode?(request: DecodeRequest): AsyncGenerator<Drawn[], void>;
  /** Copies the first `length` cached positions of each `from` slot to its `to` slot, as if all at once (beams reorder). */
  copySlots(moves: { from: number; to: number }[], length: number): Promise<void>;
  /** Fills the tensors that are kept with NaN: what the next run does not write shows. */
  spoil?(): void;
  dispose(): void;
}

/** Where a plan runs: holds the weights, makes programs. */
export interface Backend {
  readonly kind: 'cpu' | 'webgpu' | 'wasm';
  /** The adapter or engine in words, as the platform names it. */
  readonly adapter: string;
  /** Threads that work on a run; 1 where that is the device's own affair. */
  readonly threads?: number;
  /** What it has to do without, and why. */
  readonly note?: string;
  /** Bytes of weights held. */
  readonly bytes: number;
  /** Bytes of weights that it can hold at most, where that is known. */
  readonly capacity?: number;
  /** Settles when the device is gone for good; never on a device that cannot be lost. */
  readonly lost: Promise<string>;
  /**
   * Takes one weight. `pieces` are its values in row order ([rows, columns], each piece a whole number of rows), and
   * may be reused by the caller after the next one is asked for.
   */
  addWeight(spec: WeightSpec, format: WeightFormat, pieces: AsyncIterable<WeightRows>): Promise<void>;
  /** Writes other values [rows, columns] over a weight that is kept as f32: programs that read it do so from their next run on. */
  setWeight(name: string, values: Float32Array): void;
  /** Frees weights that no program needs any more. */
  removeWeights(names: readonly string[]): void;
  /**
   * Begins what `program` will need of a plan of this size, before the weights are there; program does without, only
   * later. Rejects with what will also make `program` reject.
   */
  prepare?(plan: Plan, size: ProgramSize, formatOf: (weight: WeightSpec) => WeightFormat): Promise<void>;
  /** Bytes that a program of a plan without edits will take: cache and activations. */
  programBytes(plan: Plan, size: ProgramSize): number;
  /** Bytes that `program` will take with the same arguments, and its reads of a gradient; what differentiates is loaded for it. */
  bytesOf(plan: Plan, size: ProgramSize, capture: ReadonlySet<string>): Promise<number>;
  /** Prepares a plan over the weights; names in `capture` are kept and returned by every run. */
  program(plan: Plan, size: ProgramSize, capture?: ReadonlySet<string>): Promise<Program>;
  /** Frees weights and programs. Safe to call twice. */
  dispose(): void;
}
