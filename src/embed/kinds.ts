import type {
  Attribution,
  AttributionOptions,
  Encoder,
  EncoderDecoder,
  LensOptions,
  Model,
  ModelTokenizer,
  NeuronTokens,
  Overview,
  OverviewOptions,
  Pipeline,
  Pipelines,
  Prompt,
  TopToken,
  Vision,
} from '../index.ts';
import type { FarModel } from '../run/afar.ts';
import type { TracedTensor } from '../run/traced.ts';

/** What each loader gives on the thread that calls it. */
export interface Models {
  load: Model;
  loadEncoder: Encoder;
  loadEncoderDecoder: EncoderDecoder;
  loadVision: Vision;
}

export type Loader = keyof Models;

/** What runs over a whole decoder in the worker, so that only the outcome crosses: functions of vitrine/analysis. */
export interface Analyses {
  /** `overview` of vitrine/analysis, computed in the worker. */
  overview(prompt: Prompt, options?: OverviewOptions): Promise<Overview>;
  /** `lensTokens` of vitrine/analysis, computed in the worker: [nLayer][positions][count]. */
  lens(prompt: Prompt, count: number, options?: LensOptions): Promise<TopToken[][][]>;
  /** `directLogitAttribution` of vitrine/analysis, computed in the worker. */
  attribution(prompt: Prompt, options: AttributionOptions): Promise<Attribution[]>;
  /** `neuronTokens` of vitrine/analysis, computed in the worker. */
  neuron(layer: number, neuron: number, count: number, options?: { signal?: AbortSignal }): Promise<NeuronTokens>;
  /** `nearestTokens` of vitrine/analysis, computed in the worker. */
  nearest(
    token: number,
    count: number,
    options?: { signal?: AbortSignal },
  ): Promise<{ id: number; text: string; cosine: number }[]>;
  /** `rowSimilarities` of vitrine/analysis, computed in the worker: cosines [rows, rows] of a weight's rows. */
  similarities(name: string, options?: { signal?: AbortSignal }): Promise<TracedTensor>;
}

/** A model in the worker: the calls of `M` with the same arguments, answers and errors; only the tokenizer answers with promises. */
export type InWorker<M> = Omit<M, 'tokenizer' | 'dispose' | 'memoryFor'> & {
  /** Frees the model's memory, the GPU's too. Safe to call twice, and after the engine has ended. */
  dispose(): Promise<void>;
} & FarModel &
  (M extends { tokenizer: unknown } ? { readonly tokenizer: ModelTokenizer } : unknown) &
  (M extends { memoryFor(tokens: number): number } ? { memoryFor(tokens: number): Promise<number> } : unknown);

export interface WorkerModels {
  load: InWorker<Model> & Analyses;
  loadEncoder: InWorker<Encoder>;
  loadEncoderDecoder: InWorker<EncoderDecoder>;
  loadVision: InWorker<Vision>;
}

/** Names of the methods that answer later; a symbol is none. */
type Asked<M> = {
  [Name in keyof M & string]: M[Name] extends (...args: never[]) => Promise<unknown> | AsyncGenerator<unknown, unknown>
    ? Name
    : never;
}[keyof M & string];

interface Kind<M, More extends string = never> {
  /** What is told when it is loaded. */
  fields: readonly (keyof M & string)[];
  /** Each call with the names of what it takes before its options; an `image` is made ready to cross. */
  calls: Readonly<Record<Asked<M> | More, readonly string[]>>;
}

const every = { weight: ['name'], setAdapter: ['adapter'] } as const;

/** All that a model in the worker is asked. The type has every call of its class. */
export const kinds: {
  readonly [L in Loader]: Kind<Models[L], L extends 'load' ? keyof Analyses | 'memoryFor' : never>;
} = {
  load: {
    fields: ['config'],
    calls: {
      ...every,
      generate: ['prompt'],
      chat: ['messages'],
      chatText: ['messages'],
      complete: ['prompt'],
      logits: ['prompt'],
      score: ['prompt'],
      classify: ['texts'],
      trace: ['prompt'],
      profile: ['prompt'],
      memoryFor: ['tokens'],
      overview: ['prompt'],
      lens: ['prompt', 'count'],
      attribution: ['prompt'],
      neuron: ['layer', 'neuron', 'count'],
      nearest: ['token', 'count'],
      similarities: ['name'],
    },
  },
  loadEncoder: {
    fields: ['config', 'sentences'],
    calls: {
      ...every,
      run: ['inputs'],
      embed: ['texts'],
      fill: ['text'],
      classify: ['texts'],
      tag: ['text'],
      answer: ['question', 'context'],
      trace: ['input'],
      profile: ['input'],
    },
  },
  loadEncoderDecoder: {
    fields: ['config'],
    calls: {
      ...every,
      run: ['source', 'target'],
      generate: ['source'],
      complete: ['source'],
      score: ['source', 'target'],
      trace: ['input'],
      profile: ['input'],
    },
  },
  loadVision: {
    fields: ['config', 'processor'],
    calls: {
      ...every,
      preprocess: ['image'],
      run: ['image'],
      classify: ['image'],
      features: ['image'],
      trace: ['image'],
      profile: ['image'],
    },
  },
};

/** Calls of a tokenizer that are asked and answered once; a stream has calls of its own. */
export const spellings = ['encode', 'inputs', 'decode', 'pieces', 'token', 'spelling', 'join', 'bytes'] as const;
export type Spelling = (typeof spellings)[number];

/** What loads the model of a task of `pipeline`. */
export function loaderOf(task: string): Loader {
  if (task.startsWith('image-')) return 'loadVision';
  if (task === 'text-generation') return 'load';
  return /^(translation|summarization|text2text)/.test(task) ? 'loadEncoderDecoder' : 'loadEncoder';
}

/** The pipelines with their models in the worker. */
export type WorkerPipelines = {
  [Name in keyof Pipelines]: Pipelines[Name] extends Pipeline<infer M, infer Call>
    ? Pipeline<InWorker<M>, Call>
    : never;
};
