import type { Fields } from './fields.ts';

/** What a checkpoint's files say of how it generates; what they are silent about is absent. Lengths are as the files count. */
export interface GenerationConfig {
  maxNewTokens?: number;
  /** Of the text, the decoder's first token or the prompt among it. */
  maxLength?: number;
  minNewTokens?: number;
  minLength?: number;
  /** Draw from these, instead of taking the best: absent where the files do not sample. */
  sampling?: { temperature: number; topK: number; topP: number; minP: number; typicalP: number };
  repetitionPenalty?: number;
  noRepeatNgramSize?: number;
  badWords?: number[][];
  numBeams?: number;
  lengthPenalty?: number;
  earlyStopping?: boolean;
  numReturnSequences?: number;
  /** The first new token, and one of these the last that the length allows. */
  forcedBosTokenId?: number;
  forcedEosTokenIds?: number[];
  /** Tokens that never come, and those that do not begin a text. */
  suppressTokens?: number[];
  beginSuppressTokens?: number[];
  decoderStartTokenId?: number;
  bosTokenId?: number;
  eosTokenIds?: number[];
  padTokenId?: number;
}

/** Ways of generating that are none of ours, with the values that leave them off. */
const foreign: Readonly<Record<string, unknown>> = {
  num_beam_groups: 1,
  diversity_penalty: 0,
  penalty_alpha: 0,
  encoder_repetition_penalty: 1,
  encoder_no_repeat_ngram_size: 0,
  epsilon_cutoff: 0,
  eta_cutoff: 0,
  top_h: null,
  guidance_scale: 1,
  dola_layers: null,
  renormalize_logits: false,
  constraints: null,
  force_words_ids: null,
  forced_decoder_ids: null,
  sequence_bias: null,
  stop_strings: null,
  exponential_decay_length_penalty: null,
  watermarking_config: null,
};

/**
 * The fields of generation_config.json, or those of them that an older config.json holds.
 * @throws VitrineError `bad-checkpoint` for an ill-typed field, `unsupported-checkpoint` for a way of generating that is none of ours
 */
export function readGeneration(fields: Fields, vocabSize: number): GenerationConfig {
  fields.fixed({ ...foreign, ...(fields.get('early_stopping') === 'never' && { early_stopping: false }) });
  const has = (name: string) => fields.get(name) !== undefined;
  const length = (name: string) => (has(name) ? fields.integer(name, 0, 2 ** 31) : undefined);
  const number = (name: string, least: number, most: number) =>
    has(name) ? fields.number(name, least, most) : undefined;
  const flag = (name: string) => (has(name) ? fields.flag(name, false) : undefined);
  const ids = (name: string) => (has(name) ? fields.tokenIds(name, [], vocabSize) : undefined);
  const id = (name: string) => ids(name)?.[0];
  const huge = Number.MAX_VALUE;
  const found = {
    maxNewTokens: length('max_new_tokens'),
    maxLength: length('max_length'),
    minNewTokens: length('min_new_tokens'),
    minLength: length('min_length'),
    repetitionPenalty: number('repetition_penalty', Number.MIN_VALUE, huge),
    noRepeatNgramSize: length('no_repeat_ngram_size'),
    badWords: has('bad_words_ids') ? fields.idLists('bad_words_ids', vocabSize) : undefined,
    numBeams: has('num_beams') ? fields.integer('num_beams', 1, 1 << 12) : undefined,
    lengthPenalty: number('length_penalty', -huge, huge),
    earlyStopping: flag('early_stopping'),
    numReturnSequences: has('num_return_sequences') ? fields.integer('num_return_sequences', 1, 1 << 12) : undefined,
    forcedBosTokenId:
      id('forced_bos_token_id') ?? (flag('force_bos_token_to_be_generated') ? id('bos_token_id') : undefined),
    forcedEosTokenIds: ids('forced_eos_token_id'),
    suppressTokens: ids('suppress_tokens'),
    beginSuppressTokens: ids('begin_suppress_tokens'),
    decoderStartTokenId: id('decoder_start_token_id'),
    bosTokenId: id('bos_token_id'),
    eosTokenIds: ids('eos_token_id'),
    padTokenId: fields.padId(vocabSize),
    // What is said of sampling holds only where the files sample; the values are those of transformers where they are silent.
    sampling: flag('do_sample')
      ? {
          temperature: number('temperature', Number.MIN_VALUE, huge) ?? 1,
          topK: length('top_k') ?? 50,
          topP: number('top_p', 0, 1) ?? 1,
          minP: number('min_p', 0, 1) ?? 0,
          typicalP: number('typical_p', Number.MIN_VALUE, 1) ?? 1,
        }
      : undefined,
  };
  return Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined)) as GenerationConfig;
}
