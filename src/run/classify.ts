import type { EncoderConfig } from '../model/bert.ts';
import { part } from '../plan/part.ts';
import type { HeadForm } from '../plan/plan.ts';
import { type Check, checkOptions, integer, isFunction, oneOf, refuse } from './check.ts';
import type { TextsProgress } from './embed.ts';
import type { Cut, EncoderWords } from './encoder-input.ts';
import { cutOf, type Headed, type HeadOptions, headChecks, largest, needHead, softmax } from './heads.ts';

export interface ClassifyOptions extends HeadOptions {
  /** How many classes of each text, best first; all by default. */
  topK?: number;
  /**
   * What scores are made of logits by. By default `softmax`, so that they add up to 1; `sigmoid` where several classes may hold
   * (`problem_type` in config.json) or there is only one; `none` for a regression.
   */
  scores?: 'softmax' | 'sigmoid' | 'none';
  onProgress?: (progress: TextsProgress) => void;
}

export interface ClassScore {
  label: string;
  score: number;
}

export const classChecks = { topK: integer(1), scores: oneOf('softmax', 'sigmoid', 'none') };
export const classifyChecks: Record<keyof ClassifyOptions, Check> = {
  ...classChecks,
  onProgress: isFunction,
  ...headChecks,
};

export async function classify(
  headed: Headed,
  texts: readonly EncoderWords[] | EncoderWords,
  options: ClassifyOptions = {},
): Promise<ClassScore[][]> {
  checkOptions('classify', options, classifyChecks);
  const all = await classLogits(headed, texts, options);
  const { head } = headed.inside.engine.plan;
  const config = head ? classesOf(head) : headed.config;
  return all.map((logits) => bestClasses(config, logits, options));
}

/** What the classes of a head that was made are. */
export const classesOf = ({ labels, isMulti }: HeadForm): Pick<EncoderConfig, 'labels' | 'problemType'> => ({
  labels: [...labels],
  problemType: isMulti ? 'multi_label_classification' : undefined,
});

/** The classes that a text's or an image's logits speak for, best first. */
export function bestClasses(config: Classes, logits: Float64Array, options: Pick<ClassifyOptions, 'topK' | 'scores'>) {
  const { labels } = config;
  const { topK = labels.length, scores: by = scoresOf(config) } = options;
  const scores = by === 'softmax' ? softmax(logits) : by === 'sigmoid' ? logits.map(sigmoid) : logits;
  return largest(scores, topK).map((i) => ({ label: labels[i]!, score: scores[i]! }));
}

/** The logits of each text's classes, in the order of `config.labels`. */
export async function classLogits(
  headed: Headed,
  texts: readonly EncoderWords[] | EncoderWords,
  options: HeadOptions & Pick<ClassifyOptions, 'onProgress'>,
  cut: Pick<Cut, 'truncation'> = {},
): Promise<Float64Array[]> {
  const { config, runs, reader, inside } = headed;
  const { head: put } = inside.engine.plan;
  if (!put) needHead(config, 'classes');
  const { onProgress, signal } = options;
  const list = Array.isArray(texts) ? (texts as EncoderWords[]) : [texts as EncoderWords];
  if (texts === undefined || texts === null) throw refuse('texts', texts, 'a list of texts');
  const read = list.map((text, i) => reader.words(text, i, { ...cutOf(options, reader), ...cut }));
  if (put) {
    const { features, headLogits } = await part('What trained heads stand on', () => import('./features.ts'));
    return (await features(headed, read, signal)).map((one) => headLogits(put, one));
  }
  const take = ({ logits }: { logits: Float32Array }) => Float64Array.from(logits);
  const wanted = { capture: [], logitRows: () => [0] };
  return runs.run(read, wanted, signal, take, onProgress && ((done) => onProgress({ done, total: list.length })));
}

export const sigmoid = (logit: number) => 1 / (1 + Math.exp(-logit));

type Classes = Pick<EncoderConfig, 'labels' | 'problemType'>;

function scoresOf({ problemType, labels }: Classes): NonNullable<ClassifyOptions['scores']> {
  if (problemType === 'regression') return 'none';
  return problemType === 'multi_label_classification' || labels.length === 1 ? 'sigmoid' : 'softmax';
}
