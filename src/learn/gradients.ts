import type { Edit } from '../plan/edit.ts';
import { badOption } from '../plan/error.ts';
import type { Plan } from '../plan/plan.ts';
import { afar, isFar } from '../run/afar.ts';
import { checkOptions, isList, isSignal, listOf, oneOf, quote } from '../run/check.ts';
import type { Engine } from '../run/engine.ts';
import type { Insides } from '../run/insides.ts';
import type { Tensor } from '../run/loaded.ts';
import { editsCheck } from '../run/options.ts';
import { globPattern, select } from '../run/trace.ts';
import { differentiate, onPlan, type Wrt } from './differentiate.ts';
import { insideOf, type Learner, type Near } from './inside.ts';
import { bad, headOf, type LossOption, lostOf } from './loss.ts';
import { type StoredWeight, storedGradient, storedWeights } from './stored.ts';
import type { LeftOut } from './without.ts';

export interface GradientOptions {
  loss: LossOption;
  /** Tensors, as `trace` captures them, and weights as `weights:NAME` by their names in the file; globs too. */
  wrt: readonly string[];
  edits?: readonly Edit[];
  /** Parts that the model is built without, to see what they are for. */
  without?: readonly LeftOut[];
  /** Blocks are made again on the way back, which takes more time and far less memory; by default where it is much. */
  recompute?: boolean;
  signal?: AbortSignal;
}

/** Gradients as they cross from a worker. */
export interface PlainGradients {
  loss: number;
  tensors: ReadonlyMap<string, Tensor[]>;
  weights: ReadonlyMap<string, Tensor>;
  /** Other names of weights: the plan's. */
  aliases: ReadonlyMap<string, string>;
}

/** Gradients of a loss. */
export class Gradients {
  /** The mean over all targets of the batch; of a logit its sum over the inputs. */
  readonly loss: number;
  readonly #tensors: ReadonlyMap<string, Tensor[]>;
  readonly #weights: ReadonlyMap<string, Tensor>;
  readonly #aliases: ReadonlyMap<string, string>;

  /** @internal */
  constructor({ loss, tensors, weights, aliases }: PlainGradients) {
    this.loss = loss;
    this.#tensors = tensors;
    this.#weights = weights;
    this.#aliases = aliases;
  }

  /** What `get` takes: tensors, then weights as `weights:NAME`. */
  get names(): string[] {
    return [...this.#tensors.keys(), ...[...this.#weights.keys()].map((name) => `weights:${name}`)];
  }

  /**
   * The gradient of a tensor, in the shape that `trace` gives it, of the batch's loss; of several inputs that of one. Or that of a weight,
   * summed over the batch, in its shape in the file.
   */
  get(name: string, index = 0): Tensor {
    const found = this.#tensors.get(name)?.[index] ?? this.#weight(name.replace(/^weights:/, ''));
    if (found) return found;
    const list = this.names;
    const hint = `There are those of ${list.slice(0, 6).join(', ')}${list.length > 6 ? ', ...' : ''}.`;
    throw badOption(`There is no gradient of ${quote(name)}${index ? ` for input ${index}` : ''}.`, hint);
  }

  #weight(name: string): Tensor | undefined {
    return this.#weights.get(name) ?? this.#weights.get(this.#aliases.get(name) ?? '');
  }
}

/**
 * Gradients of a loss with respect to inner tensors and weights, of one input, as `trace` takes it, or a batch of them. A weight without a
 * part in the loss gets none. Edits are in force: a gradient is of the edited value, and stops where that was set.
 * @throws VitrineError `bad-option`, `context-full`, `out-of-memory`, `device-lost`, `disposed`; the signal's reason when it aborts
 */
export async function gradients(model: Learner, input: unknown, options: GradientOptions): Promise<Gradients> {
  const found = isFar(model) ? model[afar].ask('gradients', [input], options) : plainGradients(model, input, options);
  return new Gradients((await found) as PlainGradients);
}

export async function plainGradients(model: Near, input: unknown, options: GradientOptions): Promise<PlainGradients> {
  const inside = insideOf(model);
  checkOptions('gradients', options, {
    loss: lossCheck,
    wrt: listOf('names and globs of tensors and of weights', (one) => typeof one === 'string'),
    edits: editsCheck,
    without: listOf('"residuals" and "norms"', (one) => one === 'residuals' || one === 'norms'),
    recompute: oneOf(true, false),
    signal: isSignal,
  });
  const { loss, wrt, edits = [], without = [], recompute, signal } = options;
  if (loss === undefined || wrt === undefined) throw bad('gradients needs a loss and wrt', '{ loss, wrt }');
  signal?.throwIfAborted();
  return onPlan(inside, async (on) => {
    const head = headOf(inside, on, model.config, loss);
    const list = inputsOf(inside, input);
    const inputs = await Promise.all(list.map((one, i) => inside.read(one, i)));
    if (loss !== 'next-token' && 'labels' in loss && loss.labels.length !== inputs.length) {
      throw bad(`The loss has ${loss.labels.length} labels for ${inputs.length} inputs`, 'one for each');
    }
    const losts = inputs.map((one, i) => lostOf(loss, head, one, i));
    const wanted = wantedOf(inside.engine, on, wrt);
    const sum = await differentiate(inside, {
      ...{ on, inputs, losts, head, wanted, edits, without, signal },
      ...(recompute !== undefined && { recompute }),
    });
    const found = wanted.stored.map((one) => [one.name, storedGradient(one, sum.weights)] as const);
    const weights = new Map(found.flatMap(([name, tensor]) => (tensor ? [[name, tensor] as const] : [])));
    const aliases = new Map(wanted.stored.map(({ name, planName }) => [planName, name]));
    return { loss: sum.loss, tensors: sum.tensors, weights, aliases };
  });
}

export const lossCheck = { expects: '"next-token", { labels } or { logit, position?, minus? }', accepts: isLoss };

function isLoss(value: unknown): boolean {
  if (value === 'next-token') return true;
  if (typeof value !== 'object' || value === null) return false;
  const keys = Object.keys(value);
  if ('labels' in value) return keys.length === 1 && isList(value.labels);
  return 'logit' in value && keys.every((key) => ['logit', 'position', 'minus'].includes(key));
}

/** One input as a list; a list of ids is one text of a decoder, elsewhere an array is a list of inputs. */
function inputsOf({ kind }: Insides, input: unknown): unknown[] {
  const isBatch = Array.isArray(input) && !(kind === 'decoder' && input.every((one) => typeof one === 'number'));
  if (!isBatch) return [input];
  if (input.length === 0) throw bad('The batch is empty', 'at least one input');
  return input;
}

function wantedOf(engine: Engine, on: Plan, wrt: readonly string[]): Wrt {
  const own = wrt.filter((name) => !name.startsWith('weights:'));
  const names = own.length > 0 ? select(on, own) : [];
  const all = [...storedWeights(engine).values()];
  const stored = new Set<StoredWeight>();
  for (const glob of wrt.filter((name) => name.startsWith('weights:'))) {
    const pattern = globPattern(glob.slice('weights:'.length));
    const found = all.filter(({ name, planName }) => pattern.test(name) || pattern.test(planName));
    if (found.length === 0) {
      const hint = 'Weights go by their names in the file; computed tables have no gradient.';
      throw badOption(`wrt names ${quote(glob)}, and this model has no such weight.`, hint);
    }
    for (const one of found) stored.add(one);
  }
  return { names, stored: [...stored] };
}
