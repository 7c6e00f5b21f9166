import { computed, effect, signal } from '@preact/signals';
import type { WorkerModel } from '../../embed/client.ts';
import type { Edit, Overview, Trace, TracedTensor } from '../../index.ts';
import { adapted, shown } from '../models.ts';
import { rowOf } from '../shares.ts';
import { readOf } from '../tokens.ts';
import { phase, shownText } from '../writing.ts';
import { TensorCache } from './cache.ts';
import { editsOf, touches } from './touch.ts';

/** What all readings have read, the latest of it: at 1,024 tokens a block of GPT-2 small is some 150 MB. */
const cache = new TensorCache(2 ** 28);

/** One text, run by one model with one set of edits: every tensor of it, read when it is first drawn. */
export class Reading {
  readonly model: WorkerModel;
  readonly ids: readonly number[];
  /** What each token adds to the text: nothing within a character of several tokens. One that begins texts has its name. */
  readonly texts: readonly string[];
  /** The part of the text that was read, as it was written. */
  readonly text: string;
  readonly edits: readonly Edit[];
  readonly #left = new AbortController();
  #batch: { names: Set<string>; positions: Set<number>; run: Promise<Trace> } | undefined;
  #overview: Promise<Overview> | undefined;

  constructor(of: Pick<Reading, 'model' | 'ids' | 'texts' | 'text'>, edits: readonly Edit[] = []) {
    this.model = of.model;
    this.ids = of.ids;
    this.texts = of.texts;
    this.text = of.text;
    this.edits = edits;
  }

  /** A tensor by its hook name, whole. What is asked for in one task is read in one run. */
  tensor(name: string): Promise<TracedTensor> {
    return cache.get(this, name, () => this.#join(({ names }) => names.add(name)).then((run) => run.get(name)!));
  }

  /** Logits after a position: [vocabSize]. */
  async logits(position: number): Promise<Float32Array> {
    const read = async () => {
      let nth = 0;
      const { logits } = await this.#join(({ positions }) => {
        nth = [...positions.add(position)].indexOf(position);
      });
      return { data: rowOf(logits, nth).slice(), shape: [1, logits.shape[1]!] };
    };
    return (await cache.get(this, `logits ${position}`, read)).data;
  }

  /** The whole model at a glance, small enough to be drawn. */
  overview(): Promise<Overview> {
    if (!this.#overview) {
      this.#overview = this.model.overview(this.ids, { size: 48, edits: this.edits, signal: this.#left.signal });
      this.#overview.catch(() => (this.#overview = undefined)); // asked for again, it is tried again
    }
    return this.#overview;
  }

  /** The same text with other edits. */
  with(edits: readonly Edit[]): Reading {
    return new Reading(this, edits);
  }

  /** Nobody looks at this run any more: what it still reads is not worth the time, nor what it read the memory. */
  leave(): void {
    this.#left.abort();
    cache.forget(this);
  }

  /** What is asked for in one task is read in one run. */
  #join(add: (batch: { names: Set<string>; positions: Set<number> }) => void): Promise<Trace> {
    if (!this.#batch) {
      const [names, positions] = [new Set<string>(), new Set<number>()];
      const run = new Promise<void>(queueMicrotask).then(async () => {
        this.#batch = undefined;
        const wanted = { capture: [...names], logits: [...positions] };
        return this.model.trace(this.ids, { ...wanted, edits: this.edits, signal: this.#left.signal });
      });
      this.#batch = { names, positions, run };
    }
    add(this.#batch);
    return this.#batch.run;
  }
}

const latest = signal<Reading | undefined>(undefined);

/** The text as it is, untouched by edits. Undefined until the model that is shown has read it. */
export const reading = computed(() => (latest.value?.model === shown.value?.model ? latest.value : undefined));
/** The same text with what the visitor changed inside the model; undefined where nothing is changed. */
export const touched = computed(() => {
  const untouched = reading.value;
  if (!untouched) return undefined;
  const edits = editsOf(touches.value, untouched.model, untouched.ids.length);
  return edits.length > 0 ? untouched.with(edits) : undefined;
});
/** What the pictures show: the touched run if there is one. */
export const current = computed(() => touched.value ?? reading.value);
/** What went wrong while the text was read. */
export const readingFailure = signal<unknown>(undefined);

const settleMs = 120;

/** Keeps `reading` true to the text and the model; ends when the returned function is called. */
export function follow(): () => void {
  let timer = 0;
  let wanted = 0;
  let before = adapted.peek();
  const stop = effect(() => {
    const text = shownText.value;
    const model = shown.value?.model;
    const now = adapted.value;
    clearTimeout(timer);
    wanted++;
    if (!model || phase.value !== 'idle') return;
    const mine = wanted;
    timer = window.setTimeout(
      () => {
        // What was read with another adapter on is of another model.
        read(model, text, now === before).then(
          (next) => {
            if (mine !== wanted) return;
            before = now;
            latest.value = next;
            readingFailure.value = undefined;
          },
          (error: unknown) => {
            if (mine === wanted) readingFailure.value = error;
          },
        );
      },
      latest.peek()?.model === model ? settleMs : 0,
    );
  });
  let former: readonly (Reading | undefined)[] = [];
  const stopLeaving = effect(() => {
    const now = [reading.value, touched.value]; // a slider makes many runs, and so does typing
    for (const one of former) if (!now.includes(one)) one?.leave();
    former = now;
  });
  return () => {
    clearTimeout(timer);
    wanted++;
    stop();
    stopLeaving();
    for (const one of former) one?.leave();
    latest.value = undefined; // its model may be gone when the panel is opened again
  };
}

/** The last tokens of the text, as many as the context holds; an empty text is the token that begins one. */
async function read(model: WorkerModel, text: string, keeps: boolean): Promise<Reading> {
  const { nCtx, bosTokenId } = model.config;
  const all = await readOf(model, text);
  const ids = all.ids.length > 0 ? all.ids.slice(-nCtx) : [bosTokenId ?? 0];
  const read = text.slice(all.starts.at(-nCtx));
  const former = keeps ? latest.peek() : undefined;
  const isSame = former?.model === model && former.text === read && former.ids.length === ids.length;
  return isSame && ids.every((id, i) => id === former.ids[i]) ? former : readingOf(model, ids, read);
}

export async function readingOf(model: WorkerModel, ids: readonly number[], text: string): Promise<Reading> {
  return new Reading({ model, ids, texts: await model.tokenizer.pieces(ids), text });
}

const names = new WeakMap<WorkerModel, Map<number, Promise<string>>>();

/** A token's own text, asked of the worker once. */
export function tokenText(model: WorkerModel, id: number): Promise<string> {
  const known = names.get(model) ?? new Map<number, Promise<string>>();
  names.set(model, known);
  const text = known.get(id) ?? Promise.resolve(model.tokenizer.token(id));
  known.set(id, text);
  text.catch(() => known.delete(id)); // asked for again, it is tried again
  return text;
}
