import type { GenerateOptions, LanguageModel, Prompt } from '../../index.ts';
import { type Check, integer, number, oneOf, quote } from '../../run/check.ts';
import { unsignedSeed } from '../seed.ts';
import { invalid } from './error.ts';
import type { CompletionCreateParams } from './types.ts';

/** A request to `completions.create` with every default in place. */
export interface CompletionRequest {
  /** What the caller calls the model. */
  label: string | undefined;
  prompts: Prompt[];
  /** Choices for each prompt. */
  n: number;
  /** Texts generated for each prompt. */
  candidates: number;
  echo: boolean;
  /** Likeliest tokens to report with each token; undefined: no log-probabilities at all. */
  logprobs: number | undefined;
  maxTokens: number;
  stream: boolean;
  includeUsage: boolean;
  options: GenerateOptions;
}

const isText = (value: unknown): value is string => typeof value === 'string';
const flag = oneOf(true, false);
const text: Check = { expects: 'a string', accepts: isText };

/** A prompt's own ids are checked by the engine, which knows the vocabulary. */
const prompt: Check = {
  expects: 'a string, a list of strings, a list of token ids or a list of such lists, none empty',
  accepts: (value) => {
    if (isText(value)) return true;
    if (!Array.isArray(value) || value.length === 0) return false;
    const isIds = (item: unknown) => Array.isArray(item) && item.length > 0 && item.every(Number.isInteger);
    return value.every(isText) || value.every(Number.isInteger) || value.every(isIds);
  },
};

const stop: Check = {
  expects: 'a string or a list of at most 4, none empty',
  accepts: (value) => [value].flat().length <= 4 && [value].flat().every((item) => isText(item) && item !== ''),
};

const streamOptions: Check = {
  expects: '{ include_usage?, include_obfuscation? }, true or false; chunks are never padded',
  accepts: (value) => {
    if (typeof value !== 'object' || Array.isArray(value)) return false;
    const fits = ([key, given]: [string, unknown]) =>
      key === 'include_usage' ? [true, false, undefined].includes(given as boolean) : !given;
    const known = ([key]: [string, unknown]) => key === 'include_usage' || key === 'include_obfuscation';
    return Object.entries(value as object).every((entry) => known(entry) && fits(entry));
  },
};

const suffix: Check = { expects: 'null: the model continues texts, and cannot fill one in', accepts: () => false };

const checksFor = ({ vocabSize }: LanguageModel['config']): Record<keyof CompletionCreateParams, Check> => ({
  model: text,
  prompt,
  best_of: integer(1, 20),
  echo: flag,
  frequency_penalty: number(-2, 2),
  logit_bias: {
    expects: `an object of token id (below ${vocabSize}) -> number from -100 to 100`,
    accepts: (value) => {
      const fits = ([id, bias]: [string, unknown]) =>
        /^\d+$/.test(id) && Number(id) < vocabSize && number(-100, 100).accepts(bias);
      return typeof value === 'object' && !Array.isArray(value) && Object.entries(value as object).every(fits);
    },
  },
  logprobs: integer(0, 5),
  max_tokens: integer(0),
  n: integer(1, 128),
  presence_penalty: number(-2, 2),
  seed: { expects: 'an integer', accepts: Number.isSafeInteger },
  stop,
  stream: flag,
  stream_options: streamOptions,
  suffix,
  temperature: number(0, 2),
  top_p: number(0, 1),
  user: text,
});

/**
 * Checks a request as OpenAI's API does, and fills in its defaults.
 * @throws APIError 400, naming the field
 */
export function readCompletionParams(params: CompletionCreateParams, { config }: LanguageModel): CompletionRequest {
  const given = present(params, checksFor(config));
  const { n = 1, best_of: bestOf = n, temperature = 1, max_tokens: maxTokens = 16 } = given;
  const { stream = false, stream_options: streaming } = given;
  if (bestOf < n) throw invalid(`'best_of' is ${bestOf}; expected at least 'n', ${n}.`, 'best_of');
  if (stream && bestOf > n) throw invalid("'best_of' above 'n' cannot be streamed.", 'best_of');
  if (streaming && !stream) throw invalid("'stream_options' needs 'stream: true' beside it.", 'stream_options');
  // Greedy texts are all the same: one is made, and given as often as asked for.
  const candidates = temperature === 0 ? 1 : bestOf;
  return {
    label: given.model,
    prompts: promptsOf(given.prompt ?? ''),
    n,
    candidates,
    echo: given.echo ?? false,
    logprobs: given.logprobs,
    maxTokens,
    stream,
    includeUsage: streaming?.include_usage ?? false,
    options: {
      maxNewTokens: Math.max(1, maxTokens),
      temperature,
      topP: given.top_p,
      frequencyPenalty: given.frequency_penalty,
      presencePenalty: given.presence_penalty,
      logitBias: given.logit_bias,
      stop: given.stop,
      seed: given.seed === undefined ? undefined : unsignedSeed(given.seed),
      topLogprobs: given.logprobs,
      numReturnSequences: candidates,
    },
  };
}

type Present<T> = { [K in keyof T]: Exclude<T[K], null> };

/** The fields that are there, each checked. */
function present<T extends object>(params: T, checks: Record<keyof T, Check>): Present<T> {
  if (typeof params !== 'object' || params === null || Array.isArray(params)) {
    throw invalid(`The request is ${quote(params)}; expected an object.`, null);
  }
  const entries = Object.entries(params).filter(([, value]) => value !== null && value !== undefined);
  for (const [name, value] of Object.entries(params)) {
    if (!Object.hasOwn(checks, name)) {
      const known = Object.keys(checks).join(', ');
      throw invalid(`Unknown parameter: '${name}'. Known are ${known}.`, name, 'unknown_parameter');
    }
    const { accepts, expects } = checks[name as keyof T];
    if (value !== null && value !== undefined && !accepts(value)) {
      throw invalid(`'${name}' is ${quote(value)}; expected ${expects}.`, name, 'invalid_value');
    }
  }
  return Object.fromEntries(entries) as Present<T>;
}

function promptsOf(given: NonNullable<CompletionCreateParams['prompt']>): Prompt[] {
  if (typeof given === 'string') return [given];
  return typeof given[0] === 'number' ? [given as number[]] : (given as (string | number[])[]);
}
