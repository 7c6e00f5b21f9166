import type { EncoderConfig } from '../model/bert.ts';
import type { BaseConfig } from '../model/family.ts';
import type { ProblemType } from '../model/fields.ts';
import type { VisionConfig } from '../model/vit.ts';
import { badOption, type VitrineError } from '../plan/error.ts';
import type { Loss } from '../plan/gradient.ts';
import type { HeadForm, Plan } from '../plan/plan.ts';
import { integer, isList, quote } from '../run/check.ts';
import type { Insides, PlanInput } from '../run/insides.ts';

/** Where an answer begins and ends among the ids of a text, the last of them included. */
export interface AnswerIds {
  start: number;
  end: number;
}

/**
 * A label: ids of a text with -100 for none, a class by its name or index, 0 or 1 for each class, a number, or where an answer is among the
 * ids (as a list, [start, end]).
 */
export type Label = string | number | ArrayLike<number> | AnswerIds;

/**
 * What is differentiated: the mean cross-entropy of each next token; that of labels, one for each input; or the logit `id` itself at
 * a position (the last by default), less the one of `minus`, summed over the inputs.
 */
export type LossOption =
  | 'next-token'
  | { labels: readonly Label[] }
  | { logit: number; position?: number; minus?: number };

/** Of an input the rows whose logits make its loss, and what these are compared with. */
export interface Lost {
  kind: Loss;
  rows: number[];
  labels: ArrayLike<number>;
  /** Targets, of which the loss is the mean; of a logit itself none. */
  count: number;
}

export interface Head {
  kind: Insides['kind'];
  /** Numbers that the head gives for a row. */
  width: number;
  /** The row that answers for a whole input; undefined where each row answers for itself. */
  whole: 'first' | 'last' | undefined;
  /** The rows of a text tell where an answer begins and ends. */
  isOfAnswers: boolean;
  /** Names of classes. */
  labels: readonly string[];
  problemType: ProblemType | undefined;
}

/** A loss of classes, not of tokens. */
const isOfClasses = (loss: LossOption) => typeof loss === 'object' && 'labels' in loss && !isList(loss.labels[0]);

/** What a model answers; with an adapter on that has a head, what this tells, of a decoder where the loss is of classes. */
export function headOf({ kind }: Insides, plan: Plan, config: BaseConfig, loss: LossOption): Head {
  if (plan.head && (kind !== 'decoder' || isOfClasses(loss))) return asHead(plan.head, kind);
  return ownHead(kind, config, plan);
}

/** What a model answers by itself. */
export function ownHead(kind: Insides['kind'], config: BaseConfig, plan: Plan): Head {
  const { labels = [], problemType, head } = config as Partial<EncoderConfig & VisionConfig>;
  const isWhole = kind === 'vision' || (kind === 'encoder' && head === 'classes');
  if (!plan.tensors.has('logits'))
    throw bad('The model has no head, so it has no loss', 'a model with a head, or a loss of its own to train');
  const whole = isWhole ? 'first' : undefined;
  return { kind, width: plan.vocabSize, whole, isOfAnswers: head === 'answers', labels, problemType };
}

/** What a head that is made tells. */
export const asHead = ({ labels, isMulti }: HeadForm, kind: Insides['kind']): Head => ({
  ...{ kind, width: labels.length, whole: kind === 'decoder' ? 'last' : 'first', isOfAnswers: false, labels },
  problemType: isMulti ? 'multi_label_classification' : undefined,
});

/** It chooses words. */
const writes = ({ kind, whole }: Head) => whole === undefined && (kind === 'decoder' || kind === 'encoder-decoder');

/** The row of an input whose logits answer for all of it. */
const rowOf = ({ whole }: Head, { rows }: PlanInput): number => (whole === 'last' ? rows.length - 1 : 0);

/** What a loss is of an input. `index`: its label's. */
export function lostOf(loss: LossOption, head: Head, input: PlanInput, index: number): Lost {
  if (loss === 'next-token') {
    if (!writes(head)) throw bad('The loss is "next-token"', '{ labels } or { logit }, as this model writes nothing');
    return ofTokens(head, input, input.ids, index);
  }
  if ('logit' in loss) return ofLogit(loss, head, input, index);
  const label = loss.labels[index];
  if (label === undefined) throw bad(`The loss has no label for input ${index}`, 'one for each');
  if (head.isOfAnswers) return ofAnswer(input, label, index);
  if (head.whole) return ofClass(head, label, rowOf(head, input), index);
  if (!isList(label)) throw bad(`The label of input ${index} is ${quote(label)}`, 'a list with an id for each token');
  return ofTokens(head, input, Array.from(label as ArrayLike<number>), index);
}

/** The mean of two cross-entropies over a text's ids, as transformers has it: where the answer begins, and where it ends. */
function ofAnswer({ rows }: PlanInput, label: Label, index: number): Lost {
  const isPair = isList(label) && label.length === 2;
  const { start, end } = isPair ? { start: label[0], end: label[1] } : (Object(label) as Partial<AnswerIds>);
  const [first, last] = [start, end].map((place) => rows.findIndex(({ at }) => at === place)) as [number, number];
  if (first < 0 || last < first) {
    const shown = typeof label === 'object' ? `[${start}, ${end}]` : quote(label);
    throw bad(
      `The label of input ${index} is ${shown}`,
      'where the answer begins and ends among the ids: [start, end]',
    );
  }
  const labels = rows.flatMap((_, place) => [2 * place + +(place === first), 2 * rows.length + +(place === last)]);
  return { kind: 'answers', rows: [...rows.keys()], labels, count: 1 };
}

/** Cross-entropy of an id for each token; of a decoder's by the row before it. */
function ofTokens(
  head: Head,
  { rows, length, ids, source }: PlanInput,
  labels: ArrayLike<number>,
  index: number,
): Lost {
  const tokens = source ? ids.length : length;
  if (labels.length !== tokens) {
    throw bad(`Input ${index} has ${labels.length} labels for ${tokens} tokens`, 'as many');
  }
  const [at, given]: [number[], number[]] = [[], []];
  const shift = head.kind === 'decoder' ? 1 : 0;
  for (const [row, { at: place }] of rows.entries()) {
    const label = labels[place + shift];
    if (label === undefined || label === -100) continue;
    given.push(checkedId(label, head, `Label ${place + shift} of input ${index}`));
    at.push(row);
  }
  return { kind: 'crossEntropy', rows: at, labels: given, count: at.length };
}

function checkedId(id: number, { width }: Head, what: string): number {
  if (integer(0, width - 1).accepts(id)) return id;
  throw bad(`${what} is ${quote(id)}`, `an integer from 0 to ${width - 1}`);
}

function ofLogit(
  { logit, minus, position }: Extract<LossOption, { logit: number }>,
  head: Head,
  input: PlanInput,
  index: number,
): Lost {
  const { rows } = input;
  const labels = new Float32Array(head.width);
  labels[checkedId(logit, head, 'The logit')] = 1;
  if (minus !== undefined) labels[checkedId(minus, head, 'The logit that is subtracted')]! -= 1;
  if (head.whole) return { kind: 'dot', rows: [rowOf(head, input)], labels, count: 0 };
  const last = rows.at(-1)!.at;
  const at = position === undefined ? last : position < 0 ? last + 1 + position : position;
  const row = rows.findIndex((one) => one.at === at);
  if (row < 0) throw bad(`Input ${index} has no position ${position}`, `an integer from ${-last - 1} to ${last}`);
  return { kind: 'dot', rows: [row], labels, count: 0 };
}

/** The loss of transformers for a whole input's label, by `problem_type` or what the label is. */
function ofClass(head: Head, label: Label, row: number, index: number): Lost {
  const { width, labels, problemType } = head;
  const what = `The label of input ${index} is ${quote(label)}`;
  if (isList(label)) {
    const values = Array.from(label as ArrayLike<number>);
    const isRegression = problemType === 'regression';
    const fits = (value: number) => (isRegression ? Number.isFinite(value) : value >= 0 && value <= 1);
    if (values.length !== width || !values.every(fits)) {
      throw bad(what, `${width} numbers${isRegression ? '' : ', each 0 or 1'}`);
    }
    return { kind: isRegression ? 'squared' : 'logistic', rows: [row], labels: values, count: width };
  }
  if (problemType === 'multi_label_classification')
    throw bad(what, `a list of 0 and 1, one for each of ${width} labels`);
  const isNumber = problemType === 'regression' || (width === 1 && problemType === undefined);
  if (isNumber) {
    if (width !== 1 || typeof label !== 'number' || !Number.isFinite(label)) {
      throw bad(what, width === 1 ? 'a number' : `a list of ${width} numbers`);
    }
    return { kind: 'squared', rows: [row], labels: [label], count: 1 };
  }
  return { kind: 'crossEntropy', rows: [row], labels: [classOf(label, labels, what)], count: 1 };
}

/** A class by its name or index. */
export function classOf(label: Label, labels: readonly string[], what: string): number {
  const found = typeof label === 'string' ? labels.indexOf(label) : label;
  if (integer(0, labels.length - 1).accepts(found)) return found as number;
  throw bad(what, `one of ${labels.slice(0, 12).map(quote).join(', ')}, or an index of them`);
}

export const bad = (found: string, expected: string): VitrineError => badOption(`${found}; expected ${expected}.`);
