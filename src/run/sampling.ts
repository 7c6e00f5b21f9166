import type { LogitRow } from '../plan/backend.ts';
import { badOption, type VitrineError } from '../plan/error.ts';
import { type Candidates, candidatesOf, draw, leading, minP, topP, typicalP } from './candidates.ts';
import { checkOptions, isIdList, refuse } from './check.ts';
import { checkId, type GenerateOptions, type History, readGenerateOptions, type Settings } from './options.ts';
import { uniform } from './random.ts';

/** Ids that the penalties look at. */
interface Ids {
  prompt?: ArrayLike<number>;
  generated?: ArrayLike<number>;
}

/** One step from logits to what is drawn from. */
export interface SamplingStage {
  name: 'logits' | 'penalties' | 'temperature' | 'topK' | 'topP' | 'minP' | 'typicalP';
  /** The logits that it has to do with, [vocabSize]: the model's, or after the processors. */
  logits: ArrayLike<number>;
  /** What it leaves. Before temperature the probabilities are the logits' softmax. */
  candidates: Candidates;
}

type Filtered = Omit<SamplingStage, 'logits'>;

/**
 * What sampling would draw from: probabilities [vocabSize], zero for what the options exclude; at temperature 0 (the
 * default) all mass is on the greedy id. Options are those of `generate`, with the same checks; `badWords` takes token
 * ids only, and there is no end-of-text id unless `eosTokenId` names one.
 * @param logits [vocabSize]; -Infinity excludes a token
 * @param history ids that the penalties look at
 * @throws VitrineError `bad-option`; also for logits with NaN or Infinity, or if no token is left
 */
export function distribution(
  logits: ArrayLike<number>,
  options: GenerateOptions = {},
  history: Ids = {},
): Float32Array {
  const { scores, settings } = prepare(logits, options, history);
  const probs = new Float32Array(logits.length);
  if (settings.temperature === 0) probs[greedy(scores)] = 1;
  else {
    const left = filtered(scores, settings);
    for (const [i, id] of left.ids.entries()) probs[id] = left.probs[i]!;
  }
  return probs;
}

/**
 * The way to `distribution`, stage by stage; stages that the options leave off are left out. Arguments and errors are
 * `distribution`'s.
 */
export function samplingStages(
  logits: ArrayLike<number>,
  options: GenerateOptions = {},
  history: Ids = {},
): SamplingStage[] {
  const { raw, scores, settings } = prepare(logits, options, history);
  return [...stagesOf(raw, scores, settings)];
}

/** The arguments checked, and the logits after the processors. */
function prepare(logits: ArrayLike<number>, options: GenerateOptions, history: Ids) {
  const vocabSize = logits?.length;
  if (!(vocabSize > 0)) throw refuse('logits', logits, 'one number for each token of a vocabulary');
  const scope = { vocabSize, eosTokenIds: [] };
  const settings = readGenerateOptions(options, scope);
  if (settings.numBeams > 1) throw refuse('numBeams', settings.numBeams, '1: a beam search does not draw');
  checkOptions('distribution (third argument)', history, { prompt: isIdList, generated: isIdList });
  const [prompt, generated] = [Array.from(history.prompt ?? []), Array.from(history.generated ?? [])];
  for (const id of [...prompt, ...generated]) checkId('prompt or generated', id, scope);

  const raw = Float32Array.from(logits);
  const scores = processLogits(raw, settings, { prompt, generated });
  return { raw, scores, settings };
}

function* stagesOf(raw: Float32Array, scores: ArrayLike<number>, settings: Settings): Generator<SamplingStage> {
  const softmax = (of: ArrayLike<number>, temperature: number) => candidatesOf(of, of[greedy(of)]!, temperature, 0);
  yield { name: 'logits', logits: raw, candidates: softmax(raw, 1) };
  if (scores !== raw) yield { name: 'penalties', logits: scores, candidates: softmax(scores, 1) };
  if (settings.temperature === 0) {
    const candidates = { ids: Uint32Array.of(greedy(scores)), scores: Float64Array.of(0), probs: Float64Array.of(1) };
    return yield { name: 'temperature', logits: scores, candidates };
  }
  // With top-k the first of the filters is temperature and top-k in one: of what is cut nobody needs the probability.
  const { temperature, topK } = settings;
  if (topK > 0) yield { name: 'temperature', logits: scores, candidates: softmax(scores, temperature) };
  for (const stage of filters(scores, settings)) yield { ...stage, logits: scores };
}

/** The next token's id. `sequence` numbers those generated together, each with random numbers of its own. */
export function sample({ logits, best }: LogitRow, settings: Settings, history: History, sequence: number): number {
  const scores = processLogits(logits, settings, history);
  const max = scores === logits ? (best ?? greedy(scores)) : greedy(scores);
  if (settings.temperature === 0) return max;
  return draw(filtered(scores, settings, max), uniform(settings.seed, history.generated.length, sequence));
}

/** What all filters leave. */
function filtered(scores: ArrayLike<number>, settings: Settings, best = greedy(scores)): Candidates {
  let left: Candidates | undefined;
  for (const { candidates } of filters(scores, settings, best)) left = candidates;
  return left!;
}

/** Temperature with top-k, then the other filters that are on, each on what the one before left. */
function* filters(scores: ArrayLike<number>, settings: Settings, best = greedy(scores)): Generator<Filtered> {
  let left = candidatesOf(scores, scores[best]!, settings.temperature, settings.topK);
  yield { name: settings.topK > 0 ? 'topK' : 'temperature', candidates: left };
  if (settings.topP < 1) yield { name: 'topP', candidates: (left = topP(left, settings.topP)) };
  if (settings.minP > 0) yield { name: 'minP', candidates: (left = minP(left, settings.minP)) };
  if (settings.typicalP < 1) yield { name: 'typicalP', candidates: typicalP(left, settings.typicalP) };
}

/** The largest score's id, the lowest one of equals. */
function greedy(scores: ArrayLike<number>): number {
  let best = -1;
  let max = Number.NEGATIVE_INFINITY;
  for (let id = 0; id < scores.length; id++) {
    const score = scores[id]!;
    if (score > max) {
      best = id;
      max = score;
    } else if (Number.isNaN(score)) throw broken(id, score);
  }
  if (max === Number.POSITIVE_INFINITY) throw broken(best, max);
  if (best < 0) throw excludedAll();
  return best;
}

export function excludedAll(): VitrineError {
  const hint = 'Look at logitBias, badWords, noRepeatNgramSize, minNewTokens and logitsProcessors.';
  return badOption('Every token is excluded: all logits are -Infinity.', hint);
}

export function broken(id: number, score: number): VitrineError {
  const hint = 'It comes from logitBias, a logitsProcessors function, edits, or damaged weights.';
  return badOption(`The logit of token ${id} is ${score}; expected a finite number or -Infinity.`, hint);
}

/** Processors in their order, which see the logits less their `total`; the logits themselves if none has anything to do. */
export function processLogits(
  logits: Float32Array,
  s: Settings,
  history: History,
  total = 0,
): Float32Array | Float64Array {
  const { prompt, generated } = history;
  const penalties = s.repetitionPenalty !== 1 || s.frequencyPenalty !== 0 || s.presencePenalty !== 0;
  const bans = s.noRepeatNgramSize > 0 || s.badWords.length > 0 || generated.length < s.minNewTokens;
  const forced = forcedIds(generated.length, s);
  const never = [...s.suppressTokens, ...(generated.length === 0 ? s.beginSuppressTokens : [])];
  const rules = penalties || bans || forced.length > 0 || never.length > 0;
  if (!rules && s.logitBias.size === 0 && s.logitsProcessors.length === 0) return logits;

  const scores = new Float64Array(logits); // `from` takes three times as long
  if (total !== 0) for (let id = 0; id < scores.length; id++) scores[id] = Math.fround(scores[id]! - total);
  for (const [id, bias] of s.logitBias) scores[id]! += bias;
  const text = [...prompt, ...generated];
  if (s.repetitionPenalty !== 1) penaliseRepetition(scores, new Set(text), s.repetitionPenalty);
  if (s.frequencyPenalty !== 0 || s.presencePenalty !== 0) penaliseFrequency(scores, generated, s);
  for (const id of bannedIds(text, generated.length, s)) scores[id] = Number.NEGATIVE_INFINITY;
  if (forced.length > 0) {
    scores.fill(Number.NEGATIVE_INFINITY);
    for (const id of forced) scores[id] = 0;
  }
  for (const id of never) scores[id] = Number.NEGATIVE_INFINITY;
  for (const processor of s.logitsProcessors) {
    const floats = Float32Array.from(scores);
    const result: unknown = processor(floats, { prompt, generated }) ?? floats;
    if (!(result instanceof Float32Array) || result.length !== scores.length) {
      throw refuse('logitsProcessors', result, `functions that return nothing or a Float32Array of ${scores.length}`);
    }
    scores.set(result);
  }
  return scores;
}

/** The ids that alone may come as the token of this index; none: all may. */
export function forcedIds(index: number, { forcedBosTokenId, forcedEosTokenIds, maxNewTokens }: Settings) {
  if (forcedEosTokenIds.length > 0 && index === maxNewTokens - 1) return forcedEosTokenIds;
  return index === 0 && forcedBosTokenId !== null ? [forcedBosTokenId] : [];
}

function penaliseRepetition(scores: Float64Array, ids: ReadonlySet<number>, penalty: number): void {
  for (const id of ids) scores[id] = scores[id]! < 0 ? scores[id]! * penalty : scores[id]! / penalty;
}

/** As the OpenAI API defines the two: off the logit goes count * frequency + (count > 0) * presence. */
function penaliseFrequency(scores: Float64Array, generated: readonly number[], s: Settings): void {
  for (const id of generated) scores[id]! -= s.frequencyPenalty;
  for (const id of new Set(generated)) scores[id]! -= s.presencePenalty;
}

/** What noRepeatNgramSize, badWords and minNewTokens exclude as the next token of `text`. */
function* bannedIds(text: readonly number[], generated: number, s: Settings): Generator<number> {
  /** Whether the ids from `from` on are those of `text` before `end`. */
  const endsWith = (ids: readonly number[], from: number, length: number): boolean => {
    if (length > text.length) return false;
    for (let i = 0; i < length; i++) if (ids[from + i] !== text[text.length - length + i]) return false;
    return true;
  };
  const n = s.noRepeatNgramSize;
  for (let i = 0; n > 0 && i + n <= text.length; i++) if (endsWith(text, i, n - 1)) yield text[i + n - 1]!;
  for (const word of s.badWords) {
    const last = word.at(-1)!;
    if (word.length === 1 && s.eosTokenIds.includes(last)) continue;
    if (endsWith(word, 0, word.length - 1)) yield last;
  }
  if (generated < s.minNewTokens) yield* s.eosTokenIds;
}

/** The n ids with the largest scores, best first, the lower id first among equals. */
export function best(scores: ArrayLike<number>, n: number): number[] {
  const most = Math.min(n, scores.length);
  // A few are found in one pass: for beams of a vocabulary of 58,000 that is a tenth of what selecting takes.
  if (most <= 32) return fewBest(scores, most);
  const key = new Float64Array(scores.length);
  for (let id = 0; id < key.length; id++) key[id] = -scores[id]!;
  return [...leading(key, undefined, most)].sort((a, b) => key[a]! - key[b]! || a - b);
}

function fewBest(scores: ArrayLike<number>, most: number): number[] {
  const ids: number[] = [];
  let least = Number.NaN; // of those found, once they are enough
  for (let id = 0; most > 0 && id < scores.length; id++) {
    const score = scores[id]!;
    if (score <= least) continue; // nearly all: one comparison, and no more
    if (ids.length === most && Number.isNaN(score)) continue;
    let at = Math.min(ids.length, most - 1);
    for (; at > 0 && scores[ids[at - 1]!]! < score; at--) ids[at] = ids[at - 1]!;
    ids[at] = id;
    if (ids.length === most) least = scores[ids[most - 1]!]!;
  }
  return ids;
}
