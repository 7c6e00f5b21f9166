import type { ModelConfig } from '../model/config.ts';
import type { BaseConfig, Family } from '../model/family.ts';
import type { WeightFormat, WeightRows } from '../plan/backend.ts';
import type { WeightSpec } from '../plan/plan.ts';

/** The tokenizer files a checkpoint carries; absent for a checkpoint without any. */
export interface TokenizerFiles {
  /** Text of tokenizer.json. */
  tokenizerJson?: string;
  /** Text of vocab.json and merges.txt. */
  vocab?: string;
  merges?: string;
  /** Text of vocab.txt. */
  wordPieces?: string;
  /** spiece.model, sentencepiece.bpe.model or tokenizer.model. */
  sentencePieces?: Uint8Array;
  /** source.spm and target.spm, whose ids are those of `vocab`. */
  source?: Uint8Array;
  target?: Uint8Array;
  /** Texts of tokenizer_config.json, special_tokens_map.json and added_tokens.json. */
  config?: string;
  specialTokens?: string;
  addedTokens?: string;
  /** config.json's model_type, which tells what ids a SentencePiece model has. */
  modelType?: string;
  /** The metadata of a GGUF file. */
  gguf?: { fields: ReadonlyMap<string, string | number | readonly string[] | readonly number[]>; file: string };
}

/** How far a load has come. `loaded` of `total` bytes of weights; `loaded` never falls and ends at `total`. */
export interface Progress {
  stage: 'config' | 'weights' | 'tokenizer' | 'ready';
  loaded: number;
  total: number;
  /** The file being read. */
  file: string;
  /** Why the file will not be kept in the cache; once for each such file. */
  warning?: string;
}

/** A stored tensor of which a weight of the plan is made, and what it is of it. */
export interface StoredPart {
  /** Its name in the file, and the plan's. */
  name: string;
  planName: string;
  /** Its shape in the file. */
  shape: readonly number[];
  /** The part's rows and columns as the plan has them. */
  rows: number;
  columns: number;
  isTransposed: boolean;
  /** The row there that row i is here, of a vector the value. */
  order: ((i: number) => number) | undefined;
}

/** How weights are stored; `other` is quantised in a way that no format of ours has. */
export type StoredAs = WeightFormat | 'other';

/** An opened checkpoint: config and tensor directory read and checked, no weight read yet. */
export interface Checkpoint<Config extends BaseConfig = ModelConfig> {
  /** Where it comes from, for messages. */
  readonly name: string;
  readonly config: Config;
  readonly family: Family<Config>;
  /** How most of the weights are stored. */
  readonly storedAs: StoredAs;
  /** Bytes of weights that a load will read. */
  readonly bytes: number;
  /**
   * Throws `bad-checkpoint` or `unsupported-checkpoint` unless every weight is there with its shape and a type that
   * can be read, and nothing else that the model would compute with. Call it before the first `read`. Returns the
   * weights in the order of the files: reading them so takes one request a file.
   */
  check(weights: readonly WeightSpec[]): WeightSpec[];
  /** Finds out what only weights tell: whether the output layer of a GGUF file is a copy of its words. `config` says so then. */
  settle?(signal?: AbortSignal): Promise<void>;
  /** The stored tensors of a weight, in the order in which it has them; of a computed one those that it is computed from. */
  partsOf?(weight: WeightSpec): StoredPart[];
  /** How one weight is stored. */
  storedAsOf(weight: WeightSpec): StoredAs;
  /** Values of a weight in row order `[rows, columns]`, in pieces of whole rows of bounded size, each until the next is asked for. */
  read(weight: WeightSpec, signal?: AbortSignal): AsyncIterable<Float32Array>;
  /** `read` for a format that it is to be kept in: a matrix that is stored in that format, as it is stored. */
  readFor(format: WeightFormat, weight: WeightSpec, signal?: AbortSignal): AsyncIterable<WeightRows>;
  /**
   * Waits until the files that were read are known to be what they should: what is read while they come may turn out wrong.
   * @throws Changed where they are not, and what was read is to be read again; VitrineError `network`
   */
  verify?(): Promise<void>;
  tokenizerFiles(signal?: AbortSignal): Promise<TokenizerFiles>;
  /** The text of another file beside the weights; undefined if there is none, as beside GGUF. */
  text(file: string, signal?: AbortSignal): Promise<string | undefined>;
  /** The tensors of another safetensors file, by name, as float32; for small ones, as they are all read at once. */
  tensorsOf(file: string, signal?: AbortSignal): Promise<Map<string, { data: Float32Array; shape: number[] }>>;
  /** Ends what reading left open, such as a download. A later `read` opens it again. */
  close(): void;
}

/** `model_type` of config.json, of which a family may have several. */
export const modelTypeOf = <Config extends BaseConfig>({
  config,
  family,
}: Pick<Checkpoint<Config>, 'config' | 'family'>) =>
  (config as Config & { modelType?: string }).modelType ?? family.modelTypes[0]!;
