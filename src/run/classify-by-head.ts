import { badOption } from '../plan/error.ts';
import { checkOptions } from './check.ts';
import { bestClasses, type ClassifyOptions, type ClassScore, classesOf, classifyChecks } from './classify.ts';
import { featuredOf, features, headLogits } from './features.ts';
import type { Insides } from './insides.ts';

/**
 * The classes of inputs by the head that an adapter has put on.
 * @throws VitrineError `bad-option` where there is none, and as `read` of the model's insides
 */
export async function classifyByHead(
  inside: Insides,
  inputs: readonly unknown[],
  options: ClassifyOptions,
): Promise<ClassScore[][]> {
  checkOptions('classify', options, classifyChecks);
  const { truncation = false, signal, onProgress } = options;
  const { head } = inside.engine.plan;
  if (!head) {
    const hint = "Train one with `train(model, examples, { method: 'head' })`, or put an adapter with a head on.";
    throw badOption('classify needs a head of classes, and this model has none.', hint);
  }
  signal?.throwIfAborted();
  const read = await Promise.all(inputs.map((one, i) => inside.read(one, i, truncation)));
  const all = await features(featuredOf(inside), read, signal);
  onProgress?.({ done: all.length, total: all.length });
  return all.map((one) => bestClasses(classesOf(head), headLogits(head, one), options));
}
