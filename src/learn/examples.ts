import { VitrineError } from '../plan/error.ts';
import { isList, quote } from '../run/check.ts';
import type { Insides, PlanInput } from '../run/loaded.ts';
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
    bad(`${name} is ${isObject ? `{ ${Object.keys(given).join(', ')} }` : quote(example)}`, forms[inside.kind]);
  if (!isObject) throw wrong();
  const input = async (value: unknown) => {
    try {
      return await inside.read(value, 0, cuts);
    } catch (error) {
      if (!(error instanceof VitrineError) || error.code !== 'context-full') throw error;
      const hint = 'Pass truncation: true to have it cut.';
      throw new VitrineError('context-full', `${name} is too long: ${error.message}`, { hint, cause: error });
    }
  };
  switch (inside.kind) {
    case 'decoder': {
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
    case 'vision': {
      const value = given.label ?? given.labels;
      if (value === undefined) throw wrong();
      const { label: _, labels: __, image, ...rest } = given;
      const isText = typeof rest.text === 'string' || isList(rest.ids);
      if (inside.kind === 'encoder' ? !isText : image === undefined && rest.pixels === undefined) throw wrong();
      const read = await input(image ?? rest);
      const cut = isList(value) && !head.isWhole ? Array.from(value as ArrayLike<number>).slice(0, read.length) : value;
      try {
        const lost = lostOf({ labels: [cut as Label] }, head, read, 0);
        return { input: read, lost, label: lost.kind === 'crossEntropy' && head.isWhole ? lost.labels[0] : undefined };
      } catch (error) {
        if (error instanceof VitrineError)
          throw new VitrineError(error.code, `${name}: ${error.message}`, { cause: error });
        throw error;
      }
    }
    default:
      return inside.kind satisfies never;
  }
}

/** A decoder's ids, and which of them are learnt. */
async function ofDecoder(
  { encode, chat }: Insides,
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
    // The completion's beginning is in the middle of a text: nothing is put before it.
    const after = [...encode!(completion).slice(encode!('').length), ...end];
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
