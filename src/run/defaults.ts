import type { GenerationConfig } from '../model/generation.ts';
import type { Defaults } from './options.ts';

/**
 * A checkpoint's own settings as those of a call.
 * @param length tokens that the text begins with, which its lengths count: the prompt's, or the one that begins a decoder's
 */
export function defaultsOf(config: GenerationConfig, length: number): Defaults {
  const { sampling, maxLength, minLength, maxNewTokens, minNewTokens, eosTokenIds, forcedBosTokenId } = config;
  const { repetitionPenalty, noRepeatNgramSize, badWords, numBeams, lengthPenalty, earlyStopping } = config;
  const { numReturnSequences, forcedEosTokenIds, suppressTokens, beginSuppressTokens } = config;
  const most = maxNewTokens ?? (maxLength === undefined ? undefined : maxLength - length);
  const least = minNewTokens ?? (minLength === undefined ? undefined : minLength - length);
  const given = {
    ...{ repetitionPenalty, noRepeatNgramSize, badWords, numBeams, lengthPenalty, earlyStopping, numReturnSequences },
    ...{ forcedBosTokenId, forcedEosTokenIds, suppressTokens, beginSuppressTokens, eosTokenIds },
    maxNewTokens: most === undefined ? undefined : Math.max(1, most),
    minNewTokens: least === undefined ? undefined : Math.max(0, least),
    ...sampling,
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as Defaults;
}
