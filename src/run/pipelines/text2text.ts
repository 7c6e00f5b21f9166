import { isObject } from '../../load/files.ts';
import { Fields } from '../../model/fields.ts';
import { readGeneration } from '../../model/generation.ts';
import { type Check, isList, refuse } from '../check.ts';
import { defaultsOf } from '../defaults.ts';
import type { EncoderDecoder } from '../encoder-decoder.ts';
import { loadEncoderDecoder } from '../load-encoder-decoder.ts';
import { type EncoderDecoderOptions, tokenIdOrNull } from '../options.ts';
import { generationChecks, generationOptions } from './generation.ts';
import { readSettings, type Task } from './task.ts';

const checks: Record<string, Check> = {
  ...generationChecks,
  forcedBosTokenId: tokenIdOrNull,
  forcedEosTokenId: { ...tokenIdOrNull, accepts: (value) => isList(value) || tokenIdOrNull.accepts(value) },
  decoderStartTokenId: tokenIdOrNull,
};

/** Texts to texts, each a field of this name, as transformers.js has them: one list, whatever was given. */
const textsTo = (task: string, field: string): Task<EncoderDecoder> => ({
  load: loadEncoderDecoder,
  async call(model, [texts, options]) {
    const settings = readSettings(task, options, checks);
    const { prefix, own } = taskOf(model, task);
    const given = generationOptions(settings, 1, model.config.generation.sampling) as EncoderDecoderOptions;
    const found: Record<string, string>[] = [];
    for (const text of [texts].flat()) {
      if (typeof text !== 'string') throw refuse('text', text, 'a text or a list of them');
      const completion = await model.complete(prefix + text, { ...besides(own, given), ...given });
      for (const { text } of completion.sequences ?? [completion]) found.push({ [field]: text });
    }
    return found;
  },
});

/** What `task_specific_params` of config.json says of a task, as T5's does. */
function taskOf({ config }: EncoderDecoder, task: string): { prefix: string; own: EncoderDecoderOptions } {
  const params: unknown = config.taskParams[task];
  if (!isObject(params)) return { prefix: config.prefix, own: {} };
  const generation = readGeneration(new Fields(params, `task_specific_params.${task}`), config.vocabSize);
  const defaults = defaultsOf(generation, 1);
  const { maxNewTokens, minNewTokens, numBeams, lengthPenalty, earlyStopping, noRepeatNgramSize } = defaults;
  const settings = { maxNewTokens, minNewTokens, numBeams, lengthPenalty, earlyStopping, noRepeatNgramSize };
  const own = Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
  return { prefix: typeof params.prefix === 'string' ? params.prefix : config.prefix, own };
}

/** A task's own settings without those that a call leaves no room for. */
function besides(own: EncoderDecoderOptions, { temperature = 0, maxNewTokens, numBeams }: EncoderDecoderOptions) {
  const left = { ...own };
  if (temperature > 0 || numBeams === 1)
    for (const name of ['numBeams', 'lengthPenalty', 'earlyStopping'] as const) delete left[name];
  if (maxNewTokens !== undefined) left.minNewTokens = Math.min(left.minNewTokens ?? 0, maxNewTokens);
  return left;
}

export const text2textGeneration = textsTo('text2text-generation', 'generated_text');
/** @param task `translation`, or with its languages, `translation_en_to_de` */
export const translationOf = (task: string) => textsTo(task, 'translation_text');
export const translation = translationOf('translation');
export const summarization = textsTo('summarization', 'summary_text');
