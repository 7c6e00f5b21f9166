import type { Tokenizer } from '../text/tokenizer.ts';
import { isSubword } from '../text/words.ts';
import { type Check, checkOptions, listOf, oneOf, refuse } from './check.ts';
import type { ReadText } from './encoder-input.ts';
import { cutOf, type Headed, type HeadOptions, headChecks, largest, needHead, softmax } from './heads.ts';

/**
 * How tokens become entities: `none`, each token by itself; `simple`, neighbours of one class together, `B-` beginning a new one; the
 * others also make one of a word's tokens: its first token's class, that of their mean scores, or that of the surest.
 */
export type Aggregate = 'none' | 'simple' | 'first' | 'average' | 'max';

export interface TagOptions extends HeadOptions {
  aggregate?: Aggregate;
  /** Classes that are left out; `['O']` by default. With `aggregate` their names are without `B-` and `I-`. */
  ignoreLabels?: readonly string[];
}

/** A token or an entity of a text. */
export interface Entity {
  label: string;
  score: number;
  word: string;
  /** Its part of the text, in UTF-16 units. */
  start: number;
  end: number;
}

/** An entity, and the place among the text's ids where it is one token. */
export type Tagged = Entity & { index?: number };

interface Part extends Omit<Entity, 'label' | 'score'> {
  scores: Float64Array;
  index: number;
  /** It goes on with the word of the token before it. */
  goesOn: boolean;
}

const aggregates = ['none', 'simple', 'first', 'average', 'max'] as const;
const checks: Record<keyof TagOptions, Check> = {
  aggregate: oneOf(...aggregates),
  ignoreLabels: listOf('names of classes', (label) => typeof label === 'string'),
  ...headChecks,
};

export async function tag(headed: Headed, text: string, options: TagOptions = {}): Promise<Entity[]> {
  checkOptions('tag', options, checks);
  const [found] = await tagAll(headed, [text], options);
  return found!.map(({ index, ...entity }) => entity);
}

/** The entities of several texts, run together. */
export async function tagAll(headed: Headed, texts: readonly string[], options: TagOptions): Promise<Tagged[][]> {
  const { config, runs, reader } = headed;
  needHead(config, 'token-classes');
  const { aggregate = 'none', ignoreLabels = ['O'], signal } = options;
  const read = texts.map((text, i) => {
    if (typeof text !== 'string') throw refuse('text', text, 'a string');
    return reader.words(text, i, cutOf(options, reader));
  });
  const { labels } = config;
  const wanted = { capture: [], logitRows: ({ ids }: { ids: readonly number[] }) => [...ids.keys()] };
  const taken = await runs.run(read, wanted, signal, ({ logits }, text) => ({ logits, text }));
  return taken.map(({ logits, text }, i) => {
    const parts = partsOf(text, texts[i]!, logits, labels.length, reader.tokenizer);
    const words = aggregate === 'none' || aggregate === 'simple' ? parts.map((part) => [part]) : wordsOf(parts);
    const tagged = words.map((word) => wordOf(word, aggregate, labels, reader.tokenizer));
    const entities = aggregate === 'none' ? tagged : grouped(tagged, reader.tokenizer);
    return entities.filter(({ label }) => !ignoreLabels.includes(label));
  });
}

/** The tokens of the text itself, with their probabilities. */
function partsOf({ ids, inputs }: ReadText, text: string, logits: Float32Array, width: number, tokenizer: Tokenizer) {
  return ids.flatMap((id, index) => {
    if (inputs.sequence[index] === null) return [];
    const [start, end] = inputs.offsets[index]!;
    const spelled = tokenizer.spelling(id);
    const written = text.slice(start, end);
    const goesOn = isSubword(tokenizer, text, id, [start, end]);
    const scores = softmax(logits.subarray(index * width, (index + 1) * width));
    return [{ word: id === tokenizer.unkId ? written : spelled, scores, start, end, index, goesOn }];
  });
}

function wordsOf(parts: readonly Part[]): Part[][] {
  const words: Part[][] = [];
  for (const part of parts) {
    if (part.goesOn && words.length > 0) words.at(-1)!.push(part);
    else words.push([part]);
  }
  return words;
}

function wordOf(parts: readonly Part[], aggregate: Aggregate, labels: readonly string[], tokenizer: Tokenizer): Tagged {
  const scores = scoresOf(parts, aggregate);
  const [best = 0] = largest(scores, 1);
  const isToken = aggregate === 'none' || aggregate === 'simple';
  return {
    label: labels[best]!,
    score: scores[best]!,
    word: isToken ? parts[0]!.word : tokenizer.join(parts.map(({ word }) => word)),
    start: parts[0]!.start,
    end: parts.at(-1)!.end,
    ...(isToken && { index: parts[0]!.index }),
  };
}

/** A word's scores by its tokens'. */
function scoresOf(parts: readonly Part[], aggregate: Aggregate): Float64Array {
  const first = parts[0]!.scores;
  switch (aggregate) {
    case 'none':
    case 'simple':
    case 'first':
      return first;
    case 'max': {
      const surest = parts.map(({ scores }) => Math.max(...scores));
      return parts[largest(surest, 1)[0]!]!.scores;
    }
    case 'average':
      return first.map((_, i) => parts.reduce((sum, { scores }) => sum + scores[i]!, 0) / parts.length);
    default:
      return aggregate satisfies never;
  }
}

/** `B-PER` begins an entity, `I-PER` and `PER` go on with one. */
const classOf = (label: string) => ({ begins: label.startsWith('B-'), name: label.replace(/^[BI]-/, '') });

/** Neighbours of one class as one entity. */
function grouped(tokens: readonly Tagged[], tokenizer: Tokenizer): Tagged[] {
  const groups: Tagged[][] = [];
  for (const token of tokens) {
    const { begins, name } = classOf(token.label);
    const last = groups.at(-1)?.at(-1);
    if (last && !begins && classOf(last.label).name === name) groups.at(-1)!.push(token);
    else groups.push([token]);
  }
  return groups.map((group) => ({
    label: group[0]!.label.replace(/^[^-]*-/, ''),
    score: group.reduce((sum, { score }) => sum + score, 0) / group.length,
    word: tokenizer.join(group.map(({ word }) => word)),
    start: group[0]!.start,
    end: group.at(-1)!.end,
  }));
}
