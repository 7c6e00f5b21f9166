import { computed, effect, signal } from '@preact/signals';
import type { WorkerVision } from '../../embed/client.ts';
import type { TrainOptions } from '../../learn/index.ts';
import { opened } from '../models.ts';
import type { Pixels } from '../rooms/seen.tsx';
import { dials, rateOf, roundsOf, type Shown, teach } from './course.ts';
import { split } from './table.ts';

/** What a model that reads images is taught: pictures by their classes. */

export type Picture = Shown & { pixels: Pixels };

export const names = signal<readonly string[]>([]);
export const pictures = signal<readonly Picture[]>([]);
/** What is tried. */
export const triedPicture = signal<Pixels | undefined>(undefined);
const pictureParts = computed(() => split(pictures.value, dials.value.share));

/** Pictures are as one model reads them: another one begins anew. */
let of: unknown;
effect(() => {
  const model = opened.value?.model;
  if (model === of) return;
  of = model;
  names.value = [];
  pictures.value = [];
  triedPicture.value = undefined;
});

/** Teaches the model that is open the classes of the pictures. */
export function teachPictures(model: WorkerVision): Promise<void> {
  const { learnt, judged } = pictureParts.value;
  const labels = names.value.filter((name) => pictures.value.some(({ label }) => label === name));
  const { method, rank } = dials.value;
  const exampleOf = ({ pixels, label }: Picture) => ({ ...pixels, label });
  const options: TrainOptions = {
    ...{ method, labels, epochs: roundsOf(dials.value, model), learningRate: rateOf(dials.value, false) },
    ...(method === 'lora' && { rank, alpha: 2 * rank }),
    ...(judged.length > 0 && { evaluate: judged.map(exampleOf) }),
  };
  return teach(model, learnt.map(exampleOf), options, { labels, learnt, judged });
}
