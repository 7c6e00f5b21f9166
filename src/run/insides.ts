import type { Kind } from '../model/family.ts';
import type { ChatMessage } from '../text/chat.ts';
import type { EncoderText, Featured } from './encode.ts';
import type { Engine } from './engine.ts';
import type { Prompt } from './language-model.ts';
import type { SourceText } from './memory.ts';

/** What a text or an image is to the plan itself. */
export interface PlanInput extends EncoderText {
  /** A text's ids; of an encoder-decoder those of what is written, each by the row before it. */
  ids: readonly number[];
  /** What an encoder-decoder reads. */
  source?: SourceText;
  /** Rows of an image before its patches. */
  prefix?: number;
}

/** How rooms above this one work with a model's plan; no user's call, hence no name. */
export const insides = Symbol('insides');
export interface Insides {
  kind: Kind;
  engine: Engine;
  /**
   * @param cuts what is too long is cut, not refused
   * @throws VitrineError as `trace` does for what it does not take
   */
  read(input: unknown, index: number, cuts?: boolean): PlanInput | Promise<PlanInput>;
  /** What a head that is made stands on; of a decoder `featuredOf` tells. */
  featured?: Featured;
  /** Ids of a decoder's text, of any length, as `generate` takes it. */
  encode?(text: Prompt): number[];
  /** Those of a text that goes on with another: nothing is put before it. */
  within?(text: string): number[];
  /** Ids of a dialogue by the model's chat template. */
  chat?(messages: readonly ChatMessage[], addGenerationPrompt: boolean): Promise<number[]>;
}
