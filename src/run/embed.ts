import { type PoolingMode, poolingModes, type SentenceConfig } from '../model/sentence.ts';
import { newTask } from '../plan/task.ts';
import { type Check, checkOptions, integer, isFunction, isSignal, oneOf, refuse } from './check.ts';
import type { Encoded } from './encode.ts';
import type { Headed } from './heads.ts';
import { normalized, pool, throughLayers } from './pool.ts';

/** How far a call with many texts has come. */
export interface TextsProgress {
  /** Texts that are done, of all. */
  done: number;
  total: number;
}

export interface EmbedOptions {
  /** How token vectors become one; several are joined. By default as the checkpoint's files say, else the mean. */
  pooling?: PoolingMode | readonly PoolingMode[];
  /** Whether embeddings get length 1; by default as the files say, else not. */
  normalize?: boolean;
  /** Text put before each text, or the name of one in config_sentence_transformers.json; '' for none. By default the files' own. */
  prompt?: string;
  /** The first so many numbers alone, for models trained so (Matryoshka); they get length 1 again if the whole would. */
  dimensions?: number;
  onProgress?: (progress: TextsProgress) => void;
  signal?: AbortSignal;
}

const mode = oneOf(...poolingModes);
const checks: Record<keyof EmbedOptions, Check> = {
  pooling: {
    expects: `${mode.expects}, or a list of them`,
    accepts: (value) => (Array.isArray(value) ? value.length > 0 && value.every(mode.accepts) : mode.accepts(value)),
  },
  normalize: oneOf(true, false),
  prompt: { expects: 'a string', accepts: (value) => typeof value === 'string' },
  dimensions: integer(1),
  onProgress: isFunction,
  signal: isSignal,
};

/** Texts that are read between two turns of the event loop. */
const textsATurn = 64;

export async function embed(
  { config, sentences, runs, reader, hidden }: Headed,
  texts: readonly string[] | string,
  options: EmbedOptions = {},
): Promise<Float32Array[]> {
  checkOptions('embed', options, checks);
  const { pooling = sentences.pooling, onProgress, signal } = options;
  const list: readonly string[] = typeof texts === 'string' ? [texts] : texts;
  if (!Array.isArray(list)) throw refuse('texts', texts, 'a list of texts');
  const modes = [pooling].flat() as PoolingMode[];
  const finish = finisher(sentences, modes.length * config.nEmbd, options);
  const prompt = options.prompt === undefined ? sentences.defaultPrompt : promptOf(options.prompt, sentences);
  const cut = cutOfWhole({ sentences, reader });
  const read = [];
  for (const [i, text] of list.entries()) {
    if (typeof text !== 'string') throw refuse(`texts[${i}]`, text, 'a string');
    if (i % textsATurn === textsATurn - 1) {
      await newTask();
      signal?.throwIfAborted();
    }
    read.push(reader.words((prompt ?? '') + text, i, cut));
  }
  let first = 0;
  if (prompt && !sentences.includePrompt) {
    const { ids } = reader.words(prompt, 0, cut);
    first = reader.tokenizer.specialIds.has(ids.at(-1)!) ? ids.length - 1 : ids.length;
  }
  const take = ({ captured }: Encoded) => finish(pool(captured.get(hidden)!, config.nEmbd, modes, first));
  const onDone = onProgress && ((done: number) => onProgress({ done, total: list.length }));
  return runs.run(read, { capture: [hidden] }, signal, take, onDone);
}

const promptOf = (prompt: string, { prompts }: SentenceConfig): string => prompts.get(prompt) ?? prompt;

/** The folder's layers, the length 1 if it is wanted, and the cut. */
function finisher(
  { steps, pooling }: SentenceConfig,
  width: number,
  { normalize, dimensions }: EmbedOptions,
): (pooled: Float32Array) => Float32Array {
  const last = steps.at(-1) === 'normalize';
  const layers = last ? steps.slice(0, -1) : steps;
  const [takes, gives] = widths(layers, width);
  if (takes !== width) {
    throw refuse('pooling', pooling, `what the model's layer of ${takes} numbers takes; these would be ${width}`);
  }
  if (dimensions !== undefined && dimensions > gives) {
    throw refuse('dimensions', dimensions, `at most ${gives}, the numbers of an embedding`);
  }
  return (pooled) => {
    const whole = throughLayers(layers, pooled);
    const vector = dimensions === undefined ? whole : whole.slice(0, dimensions);
    return (normalize ?? last) ? normalized(vector) : vector;
  };
}

/** Numbers that the layers take and give. */
function widths(layers: SentenceConfig['steps'], width: number): [takes: number, gives: number] {
  const denses = layers.filter((step) => step !== 'normalize');
  return [denses[0]?.nIn ?? width, denses.at(-1)?.nOut ?? width];
}

/** Texts are cut where sentence-transformers would cut them. */
export const cutOfWhole = ({ sentences, reader }: Pick<Headed, 'sentences' | 'reader'>) => ({
  maxLength: sentences.maxLength ?? reader.context,
});
