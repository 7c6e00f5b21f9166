import type { ModelConfig } from '../model/config.ts';
import type { KvFormat } from '../plan/kv.ts';
import type { TensorSpec } from '../plan/plan.ts';
import type { Profile } from '../plan/profile.ts';
import type { ChatMessage } from '../text/chat.ts';
import type { DecodeOptions } from '../text/options.ts';
import type { TextStream, Tokenizer } from '../text/tokenizer.ts';
import type { DeviceCheck } from './canary/finding.ts';
import type { ChatOptions } from './chat.ts';
import type { GenerateOptions } from './options.ts';
import type { Completion, Token } from './output.ts';
import type { Score, ScoreOptions } from './score.ts';
import type { TraceOptions } from './trace.ts';
import type { Trace, TracedTensor } from './traced.ts';
import type { WeightOptions } from './weight.ts';

/** A text, or its token ids. */
export type Prompt = string | readonly number[];

/** What a model really runs on. */
export interface DeviceInfo {
  kind: 'cpu' | 'webgpu' | 'wasm';
  /** The adapter or engine, as the platform names it. */
  adapter: string;
  /** How the weights of its matrices are kept. */
  dtype: 'f32' | 'bf16' | 'f16' | 'q8' | 'q4';
  /** How keys and values are kept. */
  kv: KvFormat;
  /** The most tokens of a text. */
  context: number;
  /** Bytes of weights. */
  bytes: number;
  /** Of the processor that work on a run; on a GPU the one that feeds it. */
  threads: number;
  /** Why it runs there: asked for, or what `auto` found; why weights are coarser than in the file, or a text shorter than the model's. */
  reason: string;
  /** What the check of the GPU found, where there was one to check; it may be the reason for another device. */
  check?: DeviceCheck;
}

export interface LogitsOptions {
  /** Positions of the ids, negative ones from the end; by default the last. */
  positions?: readonly number[];
  signal?: AbortSignal;
}

export interface ProfileOptions {
  /** Runs of each step, of which the mean is given: 10 by default. */
  repeats?: number;
  signal?: AbortSignal;
}

/** A weight's Hugging Face name without `transformer.`; a matrix is [out, in], a vector [1, n]. */
export interface WeightShape {
  name: string;
  shape: [number, number];
}

type Soon<T> = T | Promise<T>;

/** The methods of `T` with answers that may come later, and its fields. */
type Answers<T> = {
  [K in keyof T]: T[K] extends (...args: infer A) => infer R ? (...args: A) => Soon<R> : T[K];
};

/**
 * `Tokenizer`, as every model has it: the answers of one in a worker are promises, so code that awaits takes either.
 * What each method does and throws is said there.
 */
export interface ModelTokenizer extends Answers<Omit<Tokenizer, 'stream' | 'target'>> {
  /** The tokenizer of what a translation model writes; only where it is another. */
  readonly target?: ModelTokenizer;
  stream(options?: DecodeOptions): Answers<TextStream>;
}

/**
 * A model that writes text, on this thread (`Model`) or in a worker (`WorkerModel`). Code written for this takes either; what
 * each method does is said in `Model`.
 */
export interface LanguageModel {
  readonly config: ModelConfig;
  /** What really runs it. */
  readonly device: DeviceInfo;
  readonly tokenizer: ModelTokenizer;
  generate(prompt: Prompt, options?: GenerateOptions): AsyncGenerator<Token, Completion>;
  chat(messages: readonly ChatMessage[], options?: ChatOptions): AsyncGenerator<Token, Completion>;
  complete(prompts: readonly Prompt[], options?: GenerateOptions): Promise<Completion[]>;
  complete(prompt: Prompt, options?: GenerateOptions): Promise<Completion>;
  logits(prompt: Prompt, options?: LogitsOptions): Promise<{ data: Float32Array; shape: [number, number] }>;
  score(prompt: Prompt, options?: ScoreOptions): Promise<Score>;
  trace(prompt: Prompt, options?: TraceOptions): Promise<Trace>;
  profile(prompt: Prompt, options?: ProfileOptions): Promise<Profile>;
  memoryFor(tokens: number): Soon<number>;
  tensors(): TensorSpec[];
  weights(): WeightShape[];
  weight(name: string, options?: WeightOptions): Promise<TracedTensor>;
  dispose(): void | Promise<void>;
  [Symbol.dispose](): void;
  [Symbol.asyncDispose](): Promise<void>;
}
