import type { Completion, DeviceInfo, GenerateOptions, ModelConfig, Prompt, Token } from '../index.ts';

type Soon<T> = T | Promise<T>;

/** Text to ids and back: `Model.tokenizer`, or what a `WorkerModel` answers from its worker. */
export interface Reader {
  encode(text: string): Soon<number[]>;
  decode(ids: number[]): Soon<string>;
  /** UTF-8 bytes of a token. */
  bytes(id: number): Soon<Uint8Array>;
}

/** Generation options that every model takes, in a worker or not. */
export type TextOptions = Omit<GenerateOptions, 'logitsProcessors'>;

/** What the faces need of a loaded text model; `Model` and `WorkerModel` both are one. */
export interface TextModel {
  readonly config: ModelConfig;
  readonly device: DeviceInfo;
  generate(prompt: Prompt, options?: TextOptions): AsyncGenerator<Token, Completion>;
  logits(
    prompt: Prompt,
    options?: { positions?: readonly number[]; signal?: AbortSignal },
  ): Promise<{ data: Float32Array }>;
}

export type ReadableModel = TextModel & ({ readonly tokenizer: Reader } | Reader);

export const readerOf = (model: ReadableModel): Reader => ('tokenizer' in model ? model.tokenizer : model);

/** The field's seeds may be negative; the engine's are integers from 0 to 2^53 - 1. */
export const unsignedSeed = (seed: number): number => (seed < 0 ? seed + 2 ** 53 : seed);
