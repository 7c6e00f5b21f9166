import { signal } from '@preact/signals';
import type { WorkerEncoder, WorkerModel } from '../../embed/client.ts';
import type { Adapter } from '../../learn/index.ts';
import { opened } from '../models.ts';

/** A model that can be taught here. */
export type Pupil = WorkerEncoder | WorkerModel;

/** Which adapter a model has on: the page's own choice, and for a moment another one, to compare. */

interface On {
  adapter: Adapter | null;
}

/** What is on by choice, told when it changes. */
export const chosen = signal<{ model: Pupil; adapter: Adapter } | undefined>(undefined);
const on = new WeakMap<Pupil, On>();
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
  });
}

/** Asks the model with an adapter on, then puts on again what was chosen. */
export function wearing<T>(model: Pupil, adapter: Adapter | null, ask: () => Promise<T>): Promise<T> {
  return inTurn(async () => {
    const own = chosen.peek();
    await change(model, adapter);
    try {
      return await ask();
    } finally {
      if (opened.peek()?.model === model) await change(model, own?.model === model ? own.adapter : null);
    }
  });
}
