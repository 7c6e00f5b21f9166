import type { Activation } from '../plan/plan.ts';

/** How the vectors of a text's tokens become one, in the order in which several are joined. */
export const poolingModes = ['cls', 'max', 'mean', 'mean_sqrt_len', 'weightedmean', 'lasttoken'] as const;
export type PoolingMode = (typeof poolingModes)[number];

export type DenseActivation = Activation | 'identity' | 'sigmoid';

/** A layer on an embedding: `weight` is [nOut, nIn]. */
export interface DenseLayer {
  nIn: number;
  nOut: number;
  weight: Float32Array;
  bias?: Float32Array;
  activation: DenseActivation;
}

/** How a folder of sentence-transformers makes embeddings of texts. */
export interface SentenceConfig {
  pooling: PoolingMode[];
  /** Whether a prompt's own tokens are pooled too. */
  includePrompt: boolean;
  /** What is done with a pooled vector, in order. */
  steps: (DenseLayer | 'normalize')[];
  /** Numbers of an embedding. */
  width: number;
  /** The most ids of a text; where files are silent, what tokenizer and model take. */
  maxLength: number | undefined;
  /** Texts are read in lower case, whatever the tokenizer does. */
  lowercase: boolean;
  prompts: ReadonlyMap<string, string>;
  /** Put before texts where a call names no prompt. */
  defaultPrompt: string | undefined;
  /** No file says anything of it. */
  isPlain?: boolean;
}

/** Of a model without such files, as sentence-transformers takes one: the mean of the last hidden states. */
export const plainSentences = (nEmbd: number): SentenceConfig => ({
  pooling: ['mean'],
  includePrompt: true,
  steps: [],
  width: nEmbd,
  maxLength: undefined,
  lowercase: false,
  prompts: new Map(),
  defaultPrompt: undefined,
  isPlain: true,
});
