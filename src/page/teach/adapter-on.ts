import { signal } from '@preact/signals';
import type { WorkerEncoder, WorkerEncoderDecoder, WorkerModel, WorkerVision } from '../../embed/client.ts';
import type { Adapter } from '../../learn/index.ts';
import { adapted, opened } from '../models.ts';

/** A model that can be taught here. */
export type Pupil = WorkerEncoder | WorkerEncoderDecoder | WorkerModel | WorkerVision;

/** Which adapter a model has on: the page's own choice, and for a moment another one, to compare. */

interface On {
  adapter: Adapter | null;
}

/** What is on by choice, told when it changes. */
export const chosen = signal<{ model: Pupil; adapter: Adapter } | undefined>(undefined);
const on = new WeakMap<Pupil, On>();
/** Who still asks, and whether others are to ask anew when all have. */
let [waiting, isDue] = [0, false];
let turn: Promise<unknown> = Promise.resolve();

/** One after the other: between putting on and asking nobody puts on another. */
function inTurn<T>(work: () => Promise<T>): Promise<T> {
  const mine = turn.then(work);
  turn = mine.catch(() => {});
  return mine;
}

async function change(model: Pupil, adapter: Adapter | null): Promise<void> {
  if (on.has(model) && on.get(model)!.adapter === adapter) return;
  await model.setAdapter(adapter);
  on.set(model, { adapter });
}

/** Puts an adapter on, or takes it off, until another is chosen. */
export function put(model: Pupil, adapter: Adapter | null): Promise<void> {
  return inTurn(async () => {
    await change(model, adapter);
    chosen.value = adapter ? { model, adapter } : undefined;
    adapted.value++;
  });
}

/**
 * Asks the model with an adapter on, then puts on again what was chosen. Whatever the page asked meanwhile was answered by another
 * model, so it is asked anew, unless `quietly`.
 */
export function wearing<T>(model: Pupil, adapter: Adapter | null, ask: () => Promise<T>, quietly = false): Promise<T> {
  waiting++;
  return inTurn(async () => {
    const own = chosen.peek()?.model === model ? chosen.peek()!.adapter : null;
    const isOther = own !== adapter;
    await change(model, adapter);
    try {
      return await ask();
    } finally {
      waiting--;
      isDue ||= isOther && !quietly;
      if (opened.peek()?.model === model) await change(model, own);
      if (waiting === 0 && isDue) {
        isDue = false;
        adapted.value++;
      }
    }
  });
}
