import type { Adapter } from '../adapter/adapter.ts';
import type { FarAnswer } from './afar.ts';
import { attributionPatching, integratedGradients } from './attribution.ts';
import type { Example } from './examples.ts';
import { plainGradients } from './gradients.ts';
import type { Near } from './inside.ts';
import type { TrainOptions } from './options.ts';
import type { Trained, Training } from './run.ts';
import { train } from './train.ts';
import { TrainedModel } from './trained.ts';
import { Diverged } from './training.ts';

/** What a model's thread is asked of `vitrine/learn`, by name: what these give is plain data. */
export const asked = { gradients: plainGradients, attributionPatching, integratedGradients };

const nothing = () => undefined;

/** A run that another thread asks for, step by step. */
export class HeldRun {
  readonly #training: Training;
  readonly #isWhole: boolean;
  readonly #stop = new AbortController();
  #still: Promise<unknown> = Promise.resolve();
  #begun: Adapter | undefined;

  constructor(model: Near, examples: readonly Example[], options: TrainOptions) {
    // What is no object is for `train` to refuse.
    const isObject = typeof options === 'object' && options !== null && !Array.isArray(options);
    const own = isObject ? { ...options, signal: this.#stop.signal } : options;
    this.#training = train(model, examples, own);
    this.#isWhole = isObject && options.method === 'full';
  }

  async answer(what: 'next' | 'return' | 'end' | 'memory', signal: AbortSignal): Promise<FarAnswer> {
    await this.#still;
    if (what === 'memory') return { memory: await this.#training.memory() };
    const stop = () => this.#stop.abort();
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop);
    const taken =
      what === 'next'
        ? this.#training.next()
        : what === 'return'
          ? this.#training.return()
          : this.#training.throw(undefined).then(nothing, nothing); // frees its programs; what was learnt stays
    this.#still = taken.catch((error: unknown) => {
      if (error instanceof Diverged) this.#begun = error.adapter;
    });
    const result = await taken;
    if (result && !result.done) {
      const { inBackground: _, ...step } = result.value;
      // A whole model is too much to cross with each step.
      return this.#isWhole ? { step } : { step, checkpoint: this.#training.checkpoint() };
    }
    const begun = this.#begun;
    const { adapter = this.#training.adapter, ...trained } = result?.value ?? {};
    return {
      ...(begun && !adapter && { begun: begun instanceof TrainedModel ? begun.whole : begun.content }),
      ...(result?.value && { trained: trained as Omit<Trained, 'adapter'> }),
      ...(adapter && { checkpoint: this.#training.checkpoint() }),
      ...(adapter instanceof TrainedModel && { model: adapter.whole }),
    };
  }
}
