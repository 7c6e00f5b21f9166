import { Adapter, asAdapter, isAdapter, notAnAdapter } from '../adapter/adapter.ts';
import { changesOf, type Weighted } from '../adapter/bind.ts';
import { apartFromHead } from '../adapter/head.ts';
import { type AdapterOptions, type AdapterSource, readAdapter } from '../adapter/read.ts';
import type { Checkpoint } from '../load/checkpoint.ts';
import type { BaseConfig } from '../model/family.ts';
import { adapted } from '../plan/adapt.ts';
import { badCheckpoint, badOption } from '../plan/error.ts';
import { part } from '../plan/part.ts';
import { asVector, type ClassHead, type Plan, product, type StoredShape } from '../plan/plan.ts';
import { AddedWeights } from './added-weights.ts';
import { checkOptions, isSignal, number, quote } from './check.ts';
import type { Engine } from './engine.ts';
import { featuredOf, featureWidth } from './features.ts';
import type { Insides } from './insides.ts';
import { weight } from './weight.ts';

export { checkFit } from '../adapter/bind.ts';

/** An adapter, or a blend of several: each with the share that what it adds has. */
export type Adapters = Adapter | readonly (readonly [adapter: Adapter, share: number])[];

export interface SetAdapterOptions {
  /** What the adapter adds is multiplied by this; 1 by default. Tensors that take the place of the base's are not. */
  scale?: number;
  signal?: AbortSignal;
}

/** What the option `adapter` of a loader means: adapters, read where they are if need be. */
export async function adaptersOf(
  given: Adapters | AdapterSource,
  { fetch, cache, endpoint, token, signal }: AdapterOptions,
): Promise<Adapters> {
  if (isAdapter(given) || (Array.isArray(given) && given.some(Array.isArray))) return given as Adapters;
  const source = given as AdapterSource;
  // What is said of a hub is for hub ids alone; a revision is the model's own.
  const isHub = typeof source === 'string' && /^\w[\w.-]*(\/\w[\w.-]*)?$/.test(source);
  const hub = { ...(endpoint !== undefined && { endpoint }), ...(token !== undefined && { token }) };
  const own = { ...(fetch && { fetch }), ...(cache !== undefined && { cache }), ...(signal && { signal }) };
  return readAdapter(source, { ...own, ...(isHub && hub) });
}

let made = 0;
/** What a plan was made of. */
const madeOf = new WeakMap<Plan, readonly Weighted[]>();

/** As `model.setAdapter`. */
export async function setAdapter(inside: Insides, adapter: Adapters | null, options: SetAdapterOptions = {}) {
  const { engine } = inside;
  engine.alive();
  checkOptions('setAdapter', options, { scale: number(-Number.MAX_VALUE), signal: isSignal });
  const { scale = 1, signal } = options;
  signal?.throwIfAborted();
  const weighted = weightedOf(adapter, scale).map(([one, share]): Weighted => [ofBase(one, inside), share]);
  const heads = weighted.flatMap(([{ content }]) => content.head ?? []);
  if (heads.length > 1) throw badOption(`${heads.length} of the adapters have a head; expected one at most.`);
  const [head] = heads;
  if (head) checkHead(head, inside);
  const plan = weighted.length === 0 ? engine.base : await planWith(engine, weighted, head, signal);
  await change(engine, plan, signal);
}

const headed = new WeakMap<Adapter, Adapter>();

/** An image encoder's classifier of other classes than the base's is a head that was made. */
function ofBase(adapter: Adapter, { engine: { base }, kind }: Insides): Adapter {
  const { content } = adapter;
  const shape = content.tensors.get('base_model.model.classifier.weight')?.shape;
  const own = base.weights.find(({ name }) => name === 'classifier.weight')?.rows;
  if (kind !== 'vision' || content.head || !shape || shape[0] === own) return adapter;
  const apart = headed.get(adapter) ?? new Adapter(apartFromHead(content, adapter.name, 'classifier'));
  headed.set(adapter, apart);
  return apart;
}

/** @throws VitrineError `bad-checkpoint` for a head on other features than the model's, `bad-option` for a model that has none */
function checkHead({ labels, weight }: ClassHead, inside: Insides): void {
  const [own, width] = [weight.length / labels.length, featureWidth(featuredOf(inside), inside.engine.base)];
  if (own === width) return;
  const found = `The head stands on ${own} features; this model has ${width}.`;
  throw badCheckpoint(found, 'It was made for another model.');
}

function weightedOf(adapter: unknown, scale: number): Weighted[] {
  if (adapter === null) return [];
  if (isAdapter(adapter)) return [[asAdapter(adapter), scale]];
  if (!Array.isArray(adapter) || adapter.length === 0) throw notAnAdapter(quote(adapter));
  return adapter.map((one: unknown): Weighted => {
    const [of, share] = Array.isArray(one) ? (one as unknown[]) : [];
    if (isAdapter(of) && typeof share === 'number' && Number.isFinite(share)) return [asAdapter(of), share * scale];
    throw notAnAdapter(`a list with ${quote(one)}`);
  });
}

/**
 * From the next run on, this plan. What it adds is on the device before. Runs that have begun keep theirs; what nobody runs any more
 * is freed.
 */
async function change(engine: Engine, plan: Plan, signal: AbortSignal | undefined): Promise<void> {
  engine.added ??= new AddedWeights();
  const isHere = engine.added.recent.includes(plan);
  if (!isHere) engine.hold(plan);
  try {
    await engine.attempt(signal, (backend) => engine.bring(plan, backend));
    signal?.throwIfAborted();
    engine.alive();
  } catch (error) {
    if (!isHere) engine.release(plan);
    throw error;
  }
  const left = engine.added.keep(plan);
  engine.follow(plan);
  for (const one of left) engine.release(one);
}

/** The base's plan with adapters on. */
async function planWith(
  engine: Engine,
  adapters: readonly Weighted[],
  head: ClassHead | undefined,
  signal: AbortSignal | undefined,
): Promise<Plan> {
  const isSame = (of: readonly Weighted[] = []) =>
    of.length === adapters.length &&
    of.every(([one, share], i) => one === adapters[i]![0] && share === adapters[i]![1]);
  const known = engine.added?.recent.find((one) => isSame(madeOf.get(one)));
  if (known) return known;
  const { base: plan } = engine;
  const checkpoint = engine.checkpoint!;
  const { family, config } = checkpoint;
  const changes = (of: readonly Weighted[], signal: AbortSignal | undefined) =>
    changesOf(
      of,
      { family, config, plan },
      {
        weight: async (name) => (await weight(engine, name, { ...(signal && { signal }) }, plan)).data,
        stored: (tensor) => readStored(checkpoint, tensor, signal),
      },
    );
  const all = await changes(adapters, signal);
  for (const [adapter] of adapters) {
    adapter.onBase(async (signal) => {
      engine.alive();
      const { merged } = await part('What merges adapters', () => import('../adapter/merge.ts'));
      return merged(checkpoint, plan, await changes([[adapter, 1]], signal), signal);
    });
  }
  const own = { ...adapted(plan, all, ++made), ...(head && { head }) };
  madeOf.set(own, adapters);
  return own;
}

/** A tensor of the checkpoint, read again. */
async function readStored(checkpoint: Checkpoint<BaseConfig>, tensor: StoredShape, signal?: AbortSignal) {
  try {
    for await (const values of checkpoint.read(asVector(tensor), signal)) return values.slice();
    return new Float32Array(product(tensor.shape));
  } finally {
    checkpoint.close();
  }
}
