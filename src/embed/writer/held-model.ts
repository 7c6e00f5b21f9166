import type { LanguageModel, Progress, Source } from '../../index.ts';
import type { ModelState, SharedOptions } from '../shared-model.ts';
import { holdModel, idle, keyOf, retryModel, stateOf } from '../shared-model.ts';

/** The shared model that one element holds, if it holds one. */
export class HeldModel {
  readonly #onChange: () => void;
  #held: { key: string; release(): void } | undefined;
  #waiting: { resolve(model: LanguageModel): void; reject(reason: unknown): void }[] = [];

  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  get state(): ModelState {
    return this.#held ? stateOf(this.#held.key) : idle;
  }

  /** Holds this model and no other; where it failed, it is loaded again. */
  hold(source: Source, options: SharedOptions): Promise<LanguageModel> {
    const key = keyOf(source, options);
    if (this.#held?.key !== key) {
      this.release();
      this.#held = { key, release: holdModel(key, source, options, () => this.#changed()) };
      this.#onChange();
    }
    retryModel(key);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#settle();
    });
  }

  /** Who waits for it is told that it was stopped. */
  release(): void {
    if (!this.#held) return;
    this.#held.release();
    this.#held = undefined;
    this.#settle();
    this.#onChange();
  }

  #changed(): void {
    this.#settle();
    this.#onChange();
  }

  #settle(): void {
    const { state } = this;
    if (state.status === 'loading') return;
    for (const { resolve, reject } of this.#waiting.splice(0)) {
      if (state.status === 'ready') resolve(state.model);
      else reject(state.status === 'error' ? state.error : stopped());
    }
  }
}

export const stopped = () => new DOMException('The writer was stopped.', 'AbortError');

/** 0 to 100; undefined while sizes are not known. */
export function percentOf(progress: Progress | undefined): number | undefined {
  if (!progress || progress.stage === 'config' || !(progress.total > 0)) return undefined;
  return Math.floor((100 * progress.loaded) / progress.total);
}

/** What is read out changes four times, not a hundred. */
export const quarter = (percent: number | undefined) =>
  percent === undefined ? undefined : Math.floor(percent / 25) * 25;
