import type { Source } from '../load/source.ts';
import { badOption } from '../plan/error.ts';
import { part } from '../plan/part.ts';
import { checkObject, quote } from './check.ts';
import type { LoadOptions } from './loading.ts';
import { type PipelineProgress, telling } from './pipelines/progress.ts';
import type { Task } from './pipelines/task.ts';
import type { Pipelines } from './pipelines/types.ts';

const encoders = () => part('What does tasks of encoders', () => import('./pipelines/encoder.ts'));
const translators = () => part('What does tasks of encoder-decoders', () => import('./pipelines/text2text.ts'));
const images = () => part('What does tasks of images', () => import('./pipelines/vision.ts'));
const writers = () => part('What does tasks of decoders', () => import('./pipelines/text-generation.ts'));

/** What does each task of transformers.js, fetched when it is asked for. */
const tasks = {
  'feature-extraction': async () => (await encoders()).featureExtraction,
  'fill-mask': async () => (await encoders()).fillMask,
  'image-classification': async () => (await images()).imageClassification,
  'image-feature-extraction': async () => (await images()).imageFeatureExtraction,
  'question-answering': async () => (await encoders()).questionAnswering,
  summarization: async () => (await translators()).summarization,
  'text-classification': async () => (await encoders()).textClassification,
  'text-generation': async () => (await writers()).textGeneration,
  'text2text-generation': async () => (await translators()).text2textGeneration,
  'token-classification': async () => (await encoders()).tokenClassification,
  translation: async () => (await translators()).translation,
  'zero-shot-classification': async () => (await encoders()).zeroShotClassification,
} as const;

const aliases: Readonly<Record<string, keyof typeof tasks>> = {
  'sentiment-analysis': 'text-classification',
  ner: 'token-classification',
  embeddings: 'feature-extraction',
};

/** `load`'s options, and transformers.js's names of some. */
export interface PipelineOptions extends Omit<LoadOptions, 'device' | 'dtype'> {
  /** `gpu` is `webgpu`. */
  device?: LoadOptions['device'] | 'gpu';
  /** `fp32` is `f32`, `fp16` is `f16`. */
  dtype?: LoadOptions['dtype'] | 'fp32' | 'fp16';
  /** `onProgress` in transformers.js's terms. */
  progress_callback?: (info: PipelineProgress) => void;
}

/**
 * A task on a model, with transformers.js's names of tasks, options and fields, so that code for it needs another import alone.
 * Options may be written in camel case too. There is no default model: what is not named is not fetched.
 * @throws VitrineError `bad-option` for an unknown task, a missing source, or a model that was trained for something else; and as
 *   the loaders do
 */
export async function pipeline<Name extends keyof Pipelines>(
  task: Name,
  source: Source,
  options: PipelineOptions = {},
): Promise<Pipelines[Name]> {
  const name: string = aliases[task] ?? task;
  // Python names the languages too, and config.json may have settings under such a name.
  const isOfLanguages = /^translation_\w+_to_\w+$/.test(name);
  if (!Object.hasOwn(tasks, name) && !isOfLanguages) {
    const all = [...Object.keys(tasks), ...Object.keys(aliases)].join(', ');
    throw badOption(`There is no task ${quote(task)}; expected one of ${all}.`);
  }
  if (source === undefined || source === null || source === '') {
    throw badOption('pipeline got no source; expected a hub id, a URL, a path or files.', 'There is no default model.');
  }
  checkObject('pipeline', options);
  const own = isOfLanguages ? (await translators()).translationOf(name) : await tasks[name as keyof typeof tasks]();
  const found = own as unknown as Task<Disposable>;
  const model = await found.load(source, loadOptions(options));
  try {
    found.suits?.(model);
  } catch (error) {
    model[Symbol.dispose]();
    throw error;
  }
  const dispose = async () => model[Symbol.dispose]();
  const call = (...args: unknown[]) => found.call(model, args);
  const members = { task: name, model, dispose, [Symbol.asyncDispose]: dispose };
  return Object.assign(call, members) as unknown as Pipelines[Name];
}

function loadOptions({ device, dtype, progress_callback: tell, ...rest }: PipelineOptions): LoadOptions {
  const { onProgress } = rest;
  const dtypes: Record<string, LoadOptions['dtype']> = { fp32: 'f32', fp16: 'f16' };
  return {
    ...rest,
    ...(device !== undefined && device !== null && { device: device === 'gpu' ? 'webgpu' : device }),
    ...(dtype !== undefined && dtype !== null && { dtype: dtypes[dtype] ?? (dtype as LoadOptions['dtype']) }),
    ...(tell && { onProgress: telling(tell, onProgress) }),
  } as LoadOptions;
}
