import type { GenerationConfig } from '../../model/generation.ts';
import { type Check, integer, isSignal, isString, listOf, number, oneOf } from '../check.ts';
import type { GenerateOptions } from '../options.ts';
import type { Settings } from './task.ts';

const any = number(-Number.MAX_VALUE);

/** Hugging Face's options of `generate` that every model that writes has. */
export const generationChecks: Readonly<Record<string, Check>> = {
  maxNewTokens: integer(1),
  maxLength: integer(1),
  minNewTokens: integer(0),
  minLength: integer(0),
  doSample: oneOf(true, false),
  temperature: number(0),
  topK: integer(0),
  topP: number(0, 1),
  minP: number(0, 1),
  typicalP: number(0, 1, 'above'),
  repetitionPenalty: number(0, Number.MAX_VALUE, 'above'),
  frequencyPenalty: any,
  presencePenalty: any,
  noRepeatNgramSize: integer(0),
  badWordsIds: listOf('lists of token ids', Array.isArray),
  eosTokenId: { expects: 'a token id, a list of them, or null', accepts: (value) => value !== undefined },
  numBeams: integer(1),
  lengthPenalty: any,
  earlyStopping: oneOf(true, false),
  numReturnSequences: integer(1),
  seed: integer(0),
  stopStrings: { expects: 'texts', accepts: (value) => [value].flat().every(isString.accepts) },
  signal: isSignal,
};

/**
 * Hugging Face's options as `generate` takes them: nothing is drawn unless `do_sample` or the checkpoint's files say so, and then
 * of 50 words at most, or as the files say.
 * @param begins tokens that a text begins with, which its lengths count
 * @param own how the files draw, where they do
 */
export function generationOptions(settings: Settings, begins: number, own?: GenerationConfig['sampling']) {
  const { temperature: heat, topK: most } = { temperature: 1, topK: 50, ...own };
  const { doSample, maxLength, minLength, badWordsIds, stopStrings, ...given } = settings;
  const { temperature = doSample ? heat : undefined, topK = doSample ? most : undefined, ...rest } = given;
  const length = (given: unknown, least: number) => Math.max(least, (given as number) - begins);
  return {
    ...(maxLength !== undefined && { maxNewTokens: length(maxLength, 1) }),
    ...(minLength !== undefined && { minNewTokens: length(minLength, 0) }),
    ...rest,
    ...((doSample ?? own !== undefined) ? { temperature, topK } : {}),
    ...(doSample === false && { temperature: 0 }),
    ...(badWordsIds !== undefined && { badWords: badWordsIds as number[][] }),
    ...(stopStrings !== undefined && { stop: stopStrings as string[] }),
  } as GenerateOptions;
}
