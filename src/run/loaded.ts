import { isAdded } from '../plan/internal.ts';
import { part } from '../plan/part.ts';
import type { Plan, TensorSpec } from '../plan/plan.ts';
import type { Adapters, SetAdapterOptions } from './adapt.ts';
import type { Engine } from './engine.ts';
import { type Insides, insides } from './insides.ts';
import type { DeviceInfo, WeightShape } from './language-model.ts';
import type { Chosen } from './loading.ts';
import { type TracedTensor, tensorsOf } from './traced.ts';
import type { WeightOptions } from './weight.ts';

/** Values with their shape, the last axis innermost. */
export type Tensor = TracedTensor;

/**
 * What every loaded model has. Calls run side by side. After `dispose` every call, running ones too, fails with `disposed`; a
 * lost GPU is replaced and the call goes on.
 */
export abstract class Loaded<Config> {
  readonly config: Config;
  protected readonly engine: Engine;
  readonly #chosen: Chosen;

  constructor(config: Config, engine: Engine, chosen: Chosen) {
    this.config = config;
    this.engine = engine;
    this.#chosen = chosen;
  }

  /** @internal */
  abstract get [insides](): Insides;

  /** What really runs it. */
  get device(): DeviceInfo {
    const { kind, adapter, bytes, threads = 1 } = this.engine.current;
    return { kind, adapter, kv: 'f32', context: this.engine.context, bytes, threads, ...this.#chosen };
  }

  /** Every tensor that `trace` can capture or edit; an axis of `rows`, `context` or `source` is as long as its text. */
  tensors(): TensorSpec[] {
    return tensorsOf(this.engine.plan);
  }

  /** Every weight: a matrix as [out, in], a vector as [1, n], by its Hugging Face name without the model's prefix. */
  weights(): WeightShape[] {
    return weightsOf(this.engine.plan);
  }

  /** Rows of a weight as the device holds them, rounded to its dtype. */
  async weight(name: string, options: WeightOptions = {}): Promise<TracedTensor> {
    this.engine.alive();
    const { weight } = await part('What reads weights', () => import('./weight.ts'));
    return this.proved(await weight(this.engine, name, options));
  }

  /**
   * Puts a LoRA adapter on, or a blend of several (`[[a, 0.7], [b, 0.3]]`), in place of the one that is on; null takes it off. The base
   * stays as it is. The next call uses it; one that has begun keeps what it began with.
   * @throws VitrineError `bad-checkpoint` for an adapter of another base, `bad-option` for what is no adapter; then nothing is changed
   */
  async setAdapter(adapter: Adapters | null, options: SetAdapterOptions = {}): Promise<void> {
    this.engine.alive();
    const { setAdapter } = await part('What adapts models', () => import('./adapt.ts'));
    await this.engine.inTurn(() => setAdapter(this[insides], adapter, options));
  }

  /** Frees all memory, the device's too. Safe to call twice. */
  dispose(): void {
    this.engine.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.dispose();
  }

  /** A call that ended well shows that the device works. */
  protected proved<T>(result: T): T {
    this.engine.proved();
    return result;
  }
}

/** A plan's weights; of several that are one layer here, each under its own name. */
function weightsOf({ weights }: Plan): WeightShape[] {
  return weights
    .filter(({ name, parts }) => parts || !isAdded(name))
    .flatMap(({ name, kind, rows, columns, parts }): WeightShape[] => {
      if (!parts) return [{ name, shape: [rows, columns] }];
      return parts.map(({ name, length }) => ({ name, shape: kind === 'vector' ? [1, length] : [length, columns] }));
    });
}
