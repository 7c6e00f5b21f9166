import type { ImageSource } from '../../image/source.ts';
import type { Encoder } from '../encoder.ts';
import type { EncoderDecoder } from '../encoder-decoder.ts';
import type { Model } from '../model.ts';
import type { Vision } from '../vision.ts';
import type { PipelineTensor } from './tensor.ts';

/** A word for a mask: its score, id and text, and the whole text with it. */
export interface FillMaskItem {
  score: number;
  token: number;
  token_str: string;
  sequence: string;
}

export interface ClassificationItem {
  label: string;
  score: number;
}

/** A token, with `entity` and `index`, or with an aggregation strategy a group of them, with `entity_group`. */
export interface TokenClassificationItem {
  entity?: string;
  entity_group?: string;
  index?: number;
  score: number;
  word: string;
  start: number;
  end: number;
}

export interface QuestionAnsweringItem {
  answer: string;
  score: number;
  start: number;
  end: number;
}

export interface ZeroShotItem {
  sequence: string;
  labels: string[];
  scores: number[];
}

export interface TextGenerationItem {
  generated_text: string | { role: string; content: unknown }[];
}

/** A task that is called like a function; `dispose` frees its model. */
export type Pipeline<Model, Call> = Call & {
  readonly task: string;
  readonly model: Model;
  dispose(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
};

/** Options of a call, in transformers.js's spelling or in camel case; unknown ones are refused. */
export type CallOptions = Readonly<Record<string, unknown>>;

type OneOrAll<In, Out> = {
  (input: In, options?: CallOptions): Promise<Out>;
  (inputs: readonly In[], options?: CallOptions): Promise<Out[]>;
};

type Texts<Item> = (texts: string | readonly string[], options?: CallOptions) => Promise<Item[]>;

type Pair = string | { text: string; text_pair?: string };

/** The pipelines by the names of their tasks. */
export interface Pipelines {
  'feature-extraction': Pipeline<
    Encoder,
    (texts: string | readonly string[], options?: CallOptions) => Promise<PipelineTensor>
  >;
  embeddings: Pipelines['feature-extraction'];
  'fill-mask': Pipeline<Encoder, OneOrAll<string, FillMaskItem[] | FillMaskItem[][]>>;
  'image-classification': Pipeline<Vision, OneOrAll<ImageSource, ClassificationItem[]>>;
  'image-feature-extraction': Pipeline<
    Vision,
    (images: ImageSource | readonly ImageSource[], options?: CallOptions) => Promise<PipelineTensor>
  >;
  'question-answering': Pipeline<
    Encoder,
    {
      (
        question: string | readonly string[],
        context: string | readonly string[],
        options?: CallOptions,
      ): Promise<QuestionAnsweringItem | QuestionAnsweringItem[]>;
      (
        asked: { question: string; context: string },
        options?: CallOptions,
      ): Promise<QuestionAnsweringItem | QuestionAnsweringItem[]>;
    }
  >;
  summarization: Pipeline<EncoderDecoder, Texts<{ summary_text: string }>>;
  'text-classification': Pipeline<
    Encoder,
    (texts: Pair | readonly Pair[], options?: CallOptions) => Promise<ClassificationItem[] | ClassificationItem[][]>
  >;
  'sentiment-analysis': Pipelines['text-classification'];
  'text-generation': Pipeline<
    Model,
    (
      texts: string | readonly string[] | readonly { role: string; content: unknown }[],
      options?: CallOptions,
    ) => Promise<TextGenerationItem[] | TextGenerationItem[][]>
  >;
  'text2text-generation': Pipeline<EncoderDecoder, Texts<{ generated_text: string }>>;
  'token-classification': Pipeline<Encoder, OneOrAll<string, TokenClassificationItem[]>>;
  ner: Pipelines['token-classification'];
  translation: Pipeline<EncoderDecoder, Texts<{ translation_text: string }>>;
  [pair: `translation_${string}_to_${string}`]: Pipelines['translation'];
  'zero-shot-classification': Pipeline<
    Encoder,
    {
      (text: string, labels: string | readonly string[], options?: CallOptions): Promise<ZeroShotItem>;
      (texts: readonly string[], labels: string | readonly string[], options?: CallOptions): Promise<ZeroShotItem[]>;
      (text: string, options: CallOptions): Promise<ZeroShotItem>;
    }
  >;
}
