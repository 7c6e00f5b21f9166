import { effect, signal } from '@preact/signals';
import type { WorkerVision } from '../../embed/client.ts';
import { opened } from '../models.ts';
import type { Pixels } from '../rooms/seen.tsx';
import { dials, type Shown, teachClasses } from './course.ts';
import { split } from './table.ts';

/** What a model that reads images is taught: pictures by their classes. */

export type Picture = Shown & { pixels: Pixels };

export const names = signal<readonly string[]>([]);
export const pictures = signal<readonly Picture[]>([]);
/** What is tried. */
export const triedPicture = signal<Pixels | undefined>(undefined);

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
  const labels = names.value.filter((name) => pictures.value.some(({ label }) => label === name));
  const parts = split(pictures.value, dials.value.share);
  return teachClasses(model, labels, parts, ({ pixels, label }) => ({ ...pixels, label }));
}
