import { computed, effect, signal } from '@preact/signals';
import { type WorkerEncoder, WorkerEncoderDecoder, type WorkerModel, type WorkerVision } from '../../embed/client.ts';
import type { Adapter, Example, Step, TrainOptions } from '../../learn/index.ts';
import { train } from '../../learn/index.ts';
import { VitrineError } from '../../plan/error.ts';
import { announce } from '../announce.ts';
import { messageOf } from '../failure.ts';
import { opened } from '../models.ts';
import type { Pixels } from '../rooms/seen.tsx';
import { type Pupil, put } from './adapter-on.ts';
import { readTable, split } from './table.ts';
import { words } from './words.ts';

/** What is taught, how, and the run that teaches it. */

/** The examples as they were typed, pasted or dropped; of a model that writes the text, or pairs of texts. */
export const given = signal('');
export const givenText = signal('');
export const givenPairs = signal('');
export const table = computed(() => readTable(given.value));
/** A text, and what it becomes as its label. */
export const pairs = computed(() => readTable(givenPairs.value, false));

export interface Dials {
  method: 'lora' | 'head';
  /** The share of the examples that is kept for judging. */
  share: number;
  /** Undefined: what suits what is learnt. */
  rounds: number | undefined;
  rank: number;
  /** Undefined: what suits the method. */
  rate: number | undefined;
}

export const dials = signal<Dials>({ method: 'lora', share: 0.25, rounds: undefined, rank: 8, rate: undefined });
/** Rates that suit small models and few examples. */
const rates = { lora: 2e-3, head: 2e-2, style: 5e-3 };
/** A text that becomes another takes longer to learn than a class. */
export const roundsOf = ({ rounds }: Dials, model: Pupil) => rounds ?? (model instanceof WorkerEncoderDecoder ? 20 : 6);
export const rateOf = ({ rate, method }: Dials, writes: boolean) => rate ?? (writes ? rates.style : rates[method]);

export const parts = computed(() => split(table.value.rows, dials.value.share));

/** An example as it is shown: a text, or a picture with its name. */
export interface Shown {
  text: string;
  label: string;
  pixels?: Pixels;
}

export interface Course {
  model: Pupil;
  state: 'begins' | 'learns' | 'ended' | 'stopped' | 'failed';
  method: Dials['method'];
  rounds: number;
  steps: readonly Step[];
  /** Classes, in the order of the evaluation's numbers; of a model that writes none. */
  labels: readonly string[];
  /** What is judged, in the order of an evaluation. */
  judged: readonly Shown[];
  learnt: readonly Shown[];
  /** After the last whole step. */
  adapter: Adapter | undefined;
  failure: string | undefined;
}

const latest = signal<Course | undefined>(undefined);
/** The run of the model that is open. */
export const course = computed(() => (latest.value?.model === opened.value?.model ? latest.value : undefined));
/** The last evaluation. */
export const evaluation = computed(() => course.value?.steps.findLast((step) => step.evaluation)?.evaluation);
export const isLearning = computed(() => course.value?.state === 'begins' || course.value?.state === 'learns');
/** The tab was in the background for some step. */
export const slowed = computed(() => course.value?.steps.some(({ inBackground }) => inBackground) ?? false);

let end: { stop: boolean; abort: AbortController } | undefined;

/** Ends the run after the step under way; what was learnt is kept. */
export function stop(): void {
  if (end) end.stop = true;
}

/** A model that is gone takes its run with it. */
effect(() => {
  const model = opened.value?.model;
  const { model: taught } = latest.peek() ?? {};
  if (taught && taught !== model) end?.abort.abort();
});

/** Teaches the model that is open the classes of some examples. */
export function teachClasses<T extends Shown>(
  model: WorkerEncoder | WorkerVision,
  labels: readonly string[],
  { learnt, judged }: { learnt: readonly T[]; judged: readonly T[] },
  exampleOf: (one: T) => Example,
  more: TrainOptions = {},
): Promise<void> {
  const method = methodFor(model);
  const { rank } = dials.value;
  const options: TrainOptions = {
    ...{ method, labels, epochs: roundsOf(dials.value, model), ...more },
    learningRate: rateOf({ ...dials.value, method }, false),
    ...(method === 'lora' && { rank, alpha: 2 * rank }),
    ...(judged.length > 0 && { evaluate: judged.map(exampleOf) }),
  };
  return teach(model, learnt.map(exampleOf), options, { labels, learnt, judged });
}

/** Teaches an encoder the classes of the table. */
export function teachTable(model: WorkerEncoder): Promise<void> {
  const labels = table.value.classes.map(({ label }) => label);
  return teachClasses(model, labels, parts.value, ({ text, label }) => ({ text, label }), { truncation: true });
}

/** Teaches a model that writes: to go on in the style of some pieces of text, or to make texts of others. */
export function teachWriting(
  model: WorkerModel | WorkerEncoderDecoder,
  learnt: readonly Example[],
  judged: readonly Example[],
): Promise<void> {
  const { rank } = dials.value;
  const batchSize = model instanceof WorkerEncoderDecoder ? 8 : 4;
  const options: TrainOptions = {
    ...{ rank, alpha: 2 * rank, epochs: roundsOf(dials.value, model), batchSize, truncation: true },
    learningRate: rateOf(dials.value, true),
    ...(judged.length > 0 && { evaluate: judged }),
  };
  return teach(model, learnt, options, { labels: [], learnt: [], judged: [] });
}

/** Heads of texts other than those that guess words keep the layers below them: what is new is a last layer. */
export const canChange = ({ config }: WorkerEncoder | WorkerVision): boolean =>
  !('head' in config) || config.head === undefined || config.head === 'masked-words';
export const methodFor = (model: WorkerEncoder | WorkerVision): Dials['method'] =>
  canChange(model) ? dials.value.method : 'head';

async function teach(
  model: Pupil,
  examples: readonly Example[],
  options: TrainOptions,
  about: Pick<Course, 'labels' | 'learnt' | 'judged'>,
): Promise<void> {
  const mine = { stop: false, abort: new AbortController() };
  end?.abort.abort();
  end = mine;
  const method = options.method === 'head' ? 'head' : 'lora';
  let now: Course = {
    ...{ model, state: 'begins', method, rounds: options.epochs!, steps: [], ...about },
    ...{ adapter: undefined, failure: undefined },
  };
  const tell = (change: Partial<Course>) => {
    now = { ...now, ...change };
    if (end === mine) latest.value = now;
  };
  tell({});
  const run = train(model, examples, { ...options, signal: mine.abort.signal });
  try {
    for await (const step of run) {
      tell({ state: 'learns', steps: [...now.steps, step], adapter: run.adapter });
      if (mine.stop) break; // which puts on what was learnt
    }
    const adapter = run.adapter;
    if (adapter) await put(model, adapter);
    tell({ state: mine.stop ? 'stopped' : 'ended', adapter });
    announce((mine.stop ? words.stopped : words.ended)(now.steps.length));
  } catch (error) {
    if (mine.abort.signal.aborted) return;
    const adapter = now.steps.length > 0 ? run.adapter : undefined;
    if (adapter) await put(model, adapter).catch(() => {});
    tell({ state: 'failed', adapter, failure: reasonOf(error) });
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof VitrineError && error.code === 'diverged') return words.diverged;
  const hint = error instanceof VitrineError && error.hint ? ` ${error.hint}` : '';
  return `${messageOf(error)}${hint}`;
}

/** Another adapter was put on by hand: what was learnt here is not what is shown any more. */
export function forget(): void {
  if (!isLearning.peek()) latest.value = undefined;
}
