import { VitrineError } from '../plan/error.ts';
import type { TokenizerInputs } from '../text/options.ts';
import { type Check, checkOptions, integer, isSignal, oneOf, refuse } from './check.ts';
import type { ReadText } from './encoder-input.ts';
import { type Headed, largest, needHead, softmax } from './heads.ts';

export interface AnswerOptions {
  /** How many answers, best first; 1 by default. */
  topK?: number;
  /** The most tokens of an answer; 15 by default. */
  maxAnswerLen?: number;
  /** The most ids of a window, the question included; by default 384, or what the model takes if that is less. */
  maxSeqLen?: number;
  /** Tokens that two windows over a long context have in common; by default 128, at most half a window. */
  docStride?: number;
  /** Whether there may be no answer, told by an empty one. */
  handleImpossibleAnswer?: boolean;
  /** Widens answers to whole words; true by default. */
  alignToWords?: boolean;
  signal?: AbortSignal;
}

/** A part of the context; no answer is an empty part at its beginning. */
export interface Answer {
  answer: string;
  score: number;
  /** In UTF-16 units of the context. */
  start: number;
  end: number;
}

export const answerChecks: Record<keyof AnswerOptions, Check> = {
  topK: integer(1),
  maxAnswerLen: integer(1),
  maxSeqLen: integer(1),
  docStride: integer(0),
  handleImpossibleAnswer: oneOf(true, false),
  alignToWords: oneOf(true, false),
  signal: isSignal,
};

export async function answer(headed: Headed, question: string, context: string, options: AnswerOptions = {}) {
  checkOptions('answer', options, answerChecks);
  needHead(headed.config, 'answers');
  for (const [name, text] of Object.entries({ question, context })) {
    if (typeof text !== 'string') throw refuse(name, text, 'a string');
  }
  const { topK = 1, handleImpossibleAnswer, signal } = options;
  const { runs, reader } = headed;
  const whole = reader.tokenizer.inputs(question, { pair: context });
  const windows = windowsOf(whole, reader.context, options).map((inputs) => reader.ofInputs(inputs, 0));
  const wanted = { capture: [], logitRows: ({ ids }: { ids: readonly number[] }) => [...ids.keys()] };
  let impossible = 1;
  const spans = await runs.run(windows, wanted, signal, ({ logits }, text) => {
    const found = spansOf(logits, text, reader.tokenizer.clsId, options);
    impossible = Math.min(impossible, found.impossible);
    return found.spans;
  });
  const answers = new Map<string, Answer>();
  for (const { start, end, score } of spans.flat()) {
    const text = context.slice(start, end);
    const known = answers.get(text.toLowerCase());
    if (known) known.score += score;
    else answers.set(text.toLowerCase(), { answer: text, score, start, end });
  }
  const all = [...answers.values()];
  if (handleImpossibleAnswer) all.push({ answer: '', score: impossible, start: 0, end: 0 });
  return all.sort((a, b) => b.score - a.score).slice(0, topK);
}

/** The question with as much of the context as fits, again and again, until all of it was read. */
function windowsOf(
  { ids, types, offsets, sequence, words }: TokenizerInputs,
  most: number,
  { maxSeqLen, docStride }: AnswerOptions,
): TokenizerInputs[] {
  if (maxSeqLen !== undefined && maxSeqLen > most) throw refuse('maxSeqLen', maxSeqLen, `at most ${most}`);
  const limit = maxSeqLen ?? Math.min(most, 384);
  const stride = docStride ?? Math.min(128, limit >> 1);
  const places = [...sequence.keys()].filter((i) => sequence[i] === 1);
  const around = ids.length - places.length;
  const room = limit - around;
  if (room < 1) {
    const message = `The question has ${around} ids with those around it; a window has ${limit}, and takes context too.`;
    throw new VitrineError('context-full', message, { hint: 'Ask a shorter question.' });
  }
  if (places.length > room && stride >= room) {
    throw refuse('docStride', stride, `less than the ${room} tokens of context that a window has`);
  }
  const windows: TokenizerInputs[] = [];
  for (let from = 0; ; from += room - stride) {
    const [first = 0, last = -1] = [places[from], places[Math.min(from + room, places.length) - 1]];
    const kept = [...ids.keys()].filter((i) => sequence[i] !== 1 || (i >= first && i <= last));
    const pick = <T>(values: readonly T[]) => kept.map((i) => values[i]!);
    const own = { ids: pick(ids), types: pick(types), offsets: pick(offsets) };
    windows.push({ ...own, sequence: pick(sequence), words: pick(words) });
    if (from + room >= places.length) return windows;
  }
}

interface Span {
  start: number;
  end: number;
  score: number;
}

/** The likeliest parts of one window's context, and how likely there is none. */
function spansOf(
  logits: Float32Array,
  { ids, inputs }: ReadText,
  clsId: number | null,
  { topK = 1, maxAnswerLen = 15, alignToWords = true }: AnswerOptions,
): { spans: Span[]; impossible: number } {
  // The first token says that there is no answer, so it has its share of the probability.
  const may = ids.map((id, i) => inputs.sequence[i] === 1 || id === clsId);
  const [starts, ends] = [0, 1].map((column) =>
    softmax(ids.map((_, i) => (may[i] ? logits[2 * i + column]! : -10000))),
  ) as [Float64Array, Float64Array];
  const impossible = starts[0]! * ends[0]!;
  starts[0] = ends[0] = 0;
  const found: { from: number; to: number; score: number }[] = [];
  for (const from of ids.keys()) {
    for (let to = from; to < Math.min(from + maxAnswerLen, ids.length); to++) {
      found.push({ from, to, score: starts[from]! * ends[to]! });
    }
  }
  const scores = found.map(({ score }) => score);
  // Some of them may become the same words, or be none.
  const best = largest(scores, alignToWords ? 2 * topK + 10 : topK).map((i) => found[i]!);
  const spans = best
    .filter(({ from, to }) => inputs.sequence[from] === 1 && inputs.sequence[to] === 1)
    .map(({ from, to, score }) => ({ ...charactersOf(inputs, from, to, alignToWords), score }));
  return { spans, impossible };
}

function charactersOf({ offsets, words, sequence }: TokenizerInputs, from: number, to: number, alignToWords: boolean) {
  let [first, last] = [from, to];
  const isOf = (i: number, word: number) => sequence[i] === 1 && words[i] === words[word];
  if (alignToWords) {
    while (isOf(first - 1, from)) first--;
    while (isOf(last + 1, to)) last++;
  }
  return { start: offsets[first]![0], end: offsets[last]![1] };
}
