import { computed, effect, signal } from '@preact/signals';
import { useEffect, useState } from 'preact/hooks';
import type { WorkerModel } from '../../embed/client.ts';
import type { Edit, TracedTensor } from '../../index.ts';
import { shown } from '../models.ts';
import { phase, shownText } from '../writing.ts';
import { editsOf, touches } from './touch.ts';

/** One text, run by one model with one set of edits: every tensor of it, read when it is first drawn. */
export class Reading {
  readonly model: WorkerModel;
  readonly ids: readonly number[];
  /** Each token's bytes as text. */
  readonly texts: readonly string[];
  readonly edits: readonly Edit[];
  readonly #tensors = new Map<string, Promise<TracedTensor>>();
  readonly #logits = new Map<number, Promise<Float32Array>>();
  readonly #left = new AbortController();
  #batch: { names: Set<string>; run: Promise<ReadonlyMap<string, TracedTensor>> } | undefined;

  constructor(model: WorkerModel, ids: readonly number[], texts: readonly string[], edits: readonly Edit[] = []) {
    this.model = model;
    this.ids = ids;
    this.texts = texts;
    this.edits = edits;
  }

  /** A tensor by its hook name, whole. What is asked for in one task is read in one run. */
  tensor(name: string): Promise<TracedTensor> {
    let tensor = this.#tensors.get(name);
    if (!tensor) {
      tensor = this.#join(name).then((tensors) => tensors.get(name)!);
      tensor.catch(() => this.#tensors.delete(name));
      this.#tensors.set(name, tensor);
    }
    return tensor;
  }

  /** Logits after a position: [vocabSize]. */
  logits(position: number): Promise<Float32Array> {
    let logits = this.#logits.get(position);
    if (!logits) {
      logits = this.model
        .trace(this.ids, { edits: this.edits, logits: [position], signal: this.#left.signal })
        .then((trace) => trace.logits.data);
      logits.catch(() => this.#logits.delete(position));
      this.#logits.set(position, logits);
    }
    return logits;
  }

  /** The same text with other edits. */
  with(edits: readonly Edit[]): Reading {
    return new Reading(this.model, this.ids, this.texts, edits);
  }

  /** Nobody looks at this run any more: what it still reads is not worth the time. */
  leave(): void {
    this.#left.abort();
  }

  #join(name: string): Promise<ReadonlyMap<string, TracedTensor>> {
    if (!this.#batch) {
      const names = new Set<string>();
      const run = new Promise<void>(queueMicrotask).then(async () => {
        this.#batch = undefined;
        const options = { capture: [...names], edits: this.edits, logits: [], signal: this.#left.signal };
        return this.model.trace(this.ids, options);
      });
      this.#batch = { names, run };
    }
    this.#batch.names.add(name);
    return this.#batch.run;
  }
}

/** The text as it is, untouched by edits. Undefined until a model has read it. */
export const reading = signal<Reading | undefined>(undefined);
/** The same text with what the visitor changed inside the model; undefined where nothing is changed. */
export const touched = computed(() => {
  const untouched = reading.value;
  if (!untouched) return undefined;
  const edits = editsOf(touches.value, untouched.model.config, untouched.ids.length);
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
  const stop = effect(() => {
    const text = shownText.value;
    const model = shown.value?.model;
    clearTimeout(timer);
    wanted++;
    if (!model || phase.value !== 'idle') return;
    const mine = wanted;
    const quick = !reading.value || reading.value.model !== model;
    timer = window.setTimeout(
      () => {
        read(model, text).then(
          (next) => {
            if (mine === wanted) reading.value = next;
            if (mine === wanted) readingFailure.value = undefined;
          },
          (error: unknown) => {
            if (mine === wanted) readingFailure.value = error;
          },
        );
      },
      quick ? 0 : settleMs,
    );
  });
  let former: Reading | undefined;
  const stopLeaving = effect(() => {
    if (former !== touched.value) former?.leave(); // a slider makes many runs
    former = touched.value;
  });
  return () => {
    clearTimeout(timer);
    wanted++;
    stop();
    stopLeaving();
  };
}

/** The last tokens of the text, as many as the context holds; an empty text is the token that begins one. */
async function read(model: WorkerModel, text: string): Promise<Reading> {
  const { nCtx, bosTokenId } = model.config;
  const all = await model.tokenizer.encode(text);
  const ids = all.length > 0 ? all.slice(-nCtx) : [bosTokenId ?? 0];
  const former = reading.value;
  if (former?.model === model && former.ids.length === ids.length && ids.every((id, i) => id === former.ids[i]))
    return former;
  return new Reading(model, ids, await Promise.all(ids.map((id) => model.tokenizer.token(id))));
}

/** A tensor of the current run; while the next one is read, the last one, marked stale. */
export function useTensor(
  name: string,
  of: Reading | undefined = current.value,
): { tensor?: TracedTensor; stale: boolean } {
  const { value, stale } = useLater(() => of?.tensor(name), [of, name]);
  return { tensor: value, stale };
}

/** A run that was left before its end: a newer one is under way. */
const isAbort = (failure: unknown) => failure instanceof DOMException && failure.name === 'AbortError';

/** What a promise gives; until then what the last one gave, marked stale. A promise nobody waits for is told to abort. */
export function useLater<T>(
  make: (signal: AbortSignal) => Promise<T> | undefined,
  when: readonly unknown[],
): { value?: T; failure?: unknown; stale: boolean } {
  const [state, setState] = useState<{ value?: T; failure?: unknown; when: readonly unknown[] }>({ when: [] });
  useEffect(() => {
    const left = new AbortController();
    make(left.signal)?.then(
      (value) => left.signal.aborted || setState({ value, when }),
      (failure: unknown) => left.signal.aborted || isAbort(failure) || setState((last) => ({ ...last, failure })),
    );
    return () => left.abort();
  }, when as unknown[]);
  const stale = state.when.length !== when.length || state.when.some((one, i) => one !== when[i]);
  return { value: state.value, failure: state.failure, stale };
}
