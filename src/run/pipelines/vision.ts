import type { ImageSource } from '../../image/source.ts';
import { joined } from '../../plan/plan.ts';
import { isSignal, oneOf } from '../check.ts';
import { loadVision } from '../load-vision.ts';
import { type ClassifyImageOptions, needClasses, type Vision } from '../vision.ts';
import { classSettings, orNull, readSettings, type Task } from './task.ts';
import { PipelineTensor } from './tensor.ts';

export const imageClassification: Task<Vision> = {
  load: loadVision,
  suits: ({ config }) => needClasses(config),
  async call(model, [images, options]) {
    const settings = readSettings('image-classification', options, { ...classSettings, signal: isSignal });
    const { topK = 5, functionToApply: scores, ...rest } = settings;
    const own = { ...rest, topK: topK ?? model.config.labels.length, ...(scores != null && { scores }) };
    const found = [];
    for (const image of [images].flat())
      found.push(await model.classify(image as ImageSource, own as ClassifyImageOptions));
    return Array.isArray(images) ? found : found[0];
  },
};

/** Features of every token, [images, tokens, nEmbd]; the class token's are the first. */
export const imageFeatureExtraction: Task<Vision> = {
  load: loadVision,
  async call(model, [images, options]) {
    const checks = { pool: orNull(oneOf(false)), signal: isSignal };
    const { pool, ...rest } = readSettings('image-feature-extraction', options, checks);
    const found = [];
    for (const image of [images].flat()) found.push((await model.run(image as ImageSource, rest)).hidden);
    const [rows = 0, width = 0] = found[0]?.shape ?? [];
    return new PipelineTensor(joined(found.map(({ data }) => data)), [found.length, rows, width]);
  },
};
