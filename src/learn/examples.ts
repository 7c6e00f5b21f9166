import { VitrineError } from '../plan/error.ts';
import { integer, isList, quote } from '../run/check.ts';
import type { ReadText } from '../run/encoder-input.ts';
import type { Insides, PlanInput } from '../run/insides.ts';
import type { ChatMessage } from '../text/chat.ts';
import { bad, type Head, type Label, type Lost, lostOf } from './loss.ts';

/** What a model learns from: one of these forms, of which each kind of model takes some. */
export type Example =
  | { text: string }
  /** Learnt is the completion alone. */
  | { prompt: string; completion: string }
  /** Learnt are the assistant's turns. */
  | { messages: readonly ChatMessage[] }
  | { text: string; pair?: string; label: Label }
  | { ids: ArrayLike<number>; label: Label }
  /** Where the context answers: the words, or where they are in it, in UTF-16 units as `answer` tells; '' for no answer. */
  | { question: string; context: string; answer: string | { start: number; end: number } }
  /** Where the answer begins and ends among the ids. */
  | { ids: ArrayLike<number>; types?: ArrayLike<number>; start: number; end: number }
  /** -100 where there is nothing to learn; without labels a decoder learns each next token. */
  | { ids: ArrayLike<number>; labels?: ArrayLike<number> }
  | { source: unknown; target: unknown }
  | { image: unknown; label: Label }
  | { pixels: Float32Array; shape: readonly number[]; label: Label };

/** An example that is read: its rows, and what is learnt of them. */
export interface Read {
  input: PlanInput;
  lost: Lost;
  /** Its label as a class, where there is one: for accuracy. */
  label: number | undefined;
}

/** The forms that a kind of model takes, in words. */
const forms: Readonly<Record<Insides['kind'], string>> = {
  decoder: '{ text }, { prompt, completion }, { messages } or { ids, labels? }',
  encoder: '{ text, label } or { ids, label }, or { ids, labels } for labels of tokens',
  'encoder-decoder': '{ source, target }',
  vision: '{ image, label } or { pixels, shape, label }',
};
/** All that examples may have: what is none of them is a slip, and would be left out unsaid. */
const fields = new Set([
  ...'text pair ids types mask label labels prompt completion messages source target'.split(' '),
  ...'image pixels shape question context answer start end'.split(' '),
]);

/** The forms that a head learns from. */
const formOf = ({ kind, whole, isOfAnswers }: Head): string => {
  if (isOfAnswers) return '{ question, context, answer } or { ids, start, end }';
  return kind === 'decoder' && whole ? '{ text, label } or { ids, label }' : forms[kind];
};

/**
 * Reads and checks examples.
 * @throws VitrineError `bad-option` for what is no example for the model, or a label that no class has; `context-full` for one that is
 *   too long, unless `cuts`
 */
export async function readExamples(
  inside: Insides,
  head: Head,
  examples: readonly Example[],
  { cuts, ends, what }: { cuts: boolean; ends: readonly number[]; what: string },
): Promise<Read[]> {
  if (examples.length === 0) throw bad(`The list of ${what} is empty`, 'at least one');
  const read: Read[] = [];
  for (const [i, example] of examples.entries()) {
    read.push(await readOne(inside, head, example, { cuts, ends, name: `Example ${i} of the ${what}` }));
  }
  if (read.every(({ lost }) => lost.rows.length === 0)) throw bad(`None of the ${what} has a token to learn`, 'some');
  return read;
}

async function readOne(
  inside: Insides,
  head: Head,
  example: Example,
  { cuts, ends, name }: { cuts: boolean; ends: readonly number[]; name: string },
): Promise<Read> {
  const given = example as Record<string, unknown>;
  const isObject = typeof example === 'object' && example !== null && !Array.isArray(example);
  const wrong = () =>
    bad(`${name} is ${isObject ? `{ ${Object.keys(given).join(', ')} }` : quote(example)}`, formOf(head));
  if (!isObject) throw wrong();
  const unknown = Object.keys(given).find((key) => !fields.has(key));
  if (unknown !== undefined) throw bad(`${name} has ${quote(unknown)}`, formOf(head));
  const input = async (value: unknown) => {
    try {
      return await inside.read(value, 0, cuts);
    } catch (error) {
      if (!(error instanceof VitrineError) || error.code === 'disposed') throw error;
      const isLong = error.code === 'context-full';
      const hint = isLong ? 'Pass truncation: true to have it cut.' : undefined;
      const message = `${name}${isLong ? ' is too long' : ''}: ${error.message}`;
      throw new VitrineError(error.code, message, { hint, cause: error });
    }
  };
  const classed = async ({ label, labels, image, ...rest }: Record<string, unknown>): Promise<Read> => {
    const value = label ?? labels;
    const isText = typeof rest.text === 'string' || isList(rest.ids);
    if (value === undefined) throw wrong();
    if (inside.kind === 'decoder' && rest.pair !== undefined) throw wrong();
    if (inside.kind === 'vision' ? image === undefined && rest.pixels === undefined : !isText) throw wrong();
    const read = await input(inside.kind === 'decoder' ? (rest.text ?? rest.ids) : (image ?? rest));
    try {
      const own = head.isOfAnswers ? answerIn(read, value) : value;
      const isOfTokens = isList(own) && !head.whole && !head.isOfAnswers;
      const cut = isOfTokens ? Array.from(own as ArrayLike<number>).slice(0, read.length) : own;
      const lost = lostOf({ labels: [cut as Label] }, head, read, 0);
      return { input: read, lost, label: lost.kind === 'crossEntropy' && head.whole ? lost.labels[0] : undefined };
    } catch (error) {
      if (error instanceof VitrineError)
        throw new VitrineError(error.code, `${name}: ${error.message}`, { cause: error });
      throw error;
    }
  };
  switch (inside.kind) {
    case 'decoder': {
      if (head.whole) return classed(given);
      const { ids, labels } = await ofDecoder(inside, given, ends, wrong);
      const read = await input(ids);
      const lost = lostOf({ labels: [labels.slice(0, read.length)] }, head, read, 0);
      return { input: read, lost, label: undefined };
    }
    case 'encoder-decoder': {
      if (!('source' in given && 'target' in given)) throw wrong();
      const read = await input(given);
      return { input: read, lost: lostOf('next-token', head, read, 0), label: undefined };
    }
    case 'encoder':
    case 'vision':
      return classed(head.isOfAnswers ? asked(given) : given);
    default:
      return inside.kind satisfies never;
  }
}

/** A question with its context as a text and its pair, or ids; the label is where the answer is, in units or ids. */
function asked({ question, context, answer, start, end, ...rest }: Record<string, unknown>): Record<string, unknown> {
  if (start !== undefined && end !== undefined) return { ...rest, label: { start, end } };
  if (typeof question !== 'string' || typeof context !== 'string' || answer === undefined) return rest;
  return { text: question, pair: context, label: { answer, context } };
}

/** Where an answer is among the ids of a text. What was cut away with the context is no answer: the first id says so. */
function answerIn(read: PlanInput, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('context' in value)) return value;
  const { answer, context } = value as { answer: unknown; context: string };
  if (answer === '') return [0, 0];
  const from = typeof answer === 'string' ? context.indexOf(answer) : (answer as { start?: unknown } | null)?.start;
  const to = typeof answer === 'string' ? (from as number) + answer.length : (answer as { end?: unknown } | null)?.end;
  const isPart = integer(0, context.length).accepts(from) && integer((from as number) + 1, context.length).accepts(to);
  if (!isPart) {
    throw bad(`The answer is ${quote(answer)}`, 'a part of the context, or { start, end } of one in UTF-16 units');
  }
  const { offsets, sequence } = (read as ReadText).inputs;
  const inside = [...sequence.keys()].filter(
    (i) => sequence[i] === 1 && offsets[i]![1] > (from as number) && offsets[i]![0] < (to as number),
  );
  const last = inside.at(-1);
  const isWhole = last !== undefined && context.slice(offsets[last]![1], to as number).trim() === '';
  return isWhole ? [inside[0], last] : [0, 0];
}

/** A decoder's ids, and which of them are learnt. */
async function ofDecoder(
  { encode, within, chat }: Insides,
  { text, prompt, completion, messages, ids, labels }: Record<string, unknown>,
  ends: readonly number[],
  wrong: () => VitrineError,
): Promise<{ ids: number[]; labels: number[] }> {
  const end = ends.slice(0, 1);
  if (isList(ids)) {
    const own = Array.from(ids as ArrayLike<number>);
    if (labels !== undefined && (!isList(labels) || labels.length !== own.length)) throw wrong();
    return { ids: own, labels: labels === undefined ? own : Array.from(labels as ArrayLike<number>) };
  }
  if (typeof text === 'string') {
    const own = [...encode!(text), ...end];
    return { ids: own, labels: own };
  }
  if (typeof prompt === 'string' && typeof completion === 'string') {
    const before = encode!(prompt);
    const after = [...within!(completion), ...end];
    return { ids: [...before, ...after], labels: [...before.map(() => -100), ...after] };
  }
  if (!Array.isArray(messages)) throw wrong();
  const dialogue = messages as ChatMessage[];
  const all = await chat!(dialogue, false);
  const learnt = all.map(() => -100);
  for (const [i, { role }] of dialogue.entries()) {
    if (role !== 'assistant') continue;
    const [from, to] = [await chat!(dialogue.slice(0, i), true), await chat!(dialogue.slice(0, i + 1), false)];
    for (let at = from.length; at < Math.min(to.length, all.length); at++) learnt[at] = all[at]!;
  }
  return { ids: all, labels: learnt };
}
