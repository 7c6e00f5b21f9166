import { tensorNamed } from '../plan/lens-names.ts';
import { keyAxisOf, type Plan } from '../plan/plan.ts';
import { afar, isFar } from '../run/afar.ts';
import { checkOptions, integer, isSignal, listOf } from '../run/check.ts';
import type { Insides } from '../run/insides.ts';
import type { Tensor } from '../run/loaded.ts';
import { select } from '../run/trace.ts';
import { differentiate, forward, onPlan } from './differentiate.ts';
import { lossCheck } from './gradients.ts';
import { insideOf, type Learner } from './inside.ts';
import { bad, headOf, type LossOption, lostOf } from './loss.ts';

export interface PatchingOptions {
  loss: LossOption;
  /** Tensors, names or globs; `blocks.*.hook_resid_pre` by default. */
  names?: readonly string[];
  signal?: AbortSignal;
}

export interface IntegratedOptions {
  loss: LossOption;
  /** Points on the way from the baseline, 32 by default. */
  steps?: number;
  /** What the way begins at: zeros, or the embedding of a token id at each position. */
  baseline?: 'zero' | number;
  signal?: AbortSignal;
}

/**
 * How much of the difference that a clean input makes to a corrupted one's loss comes in at each position of each tensor, to first
 * order: grad(corrupted) · (clean - corrupted), summed over all axes but the positions. What `patchingSweep` measures by a run a cell takes
 * two runs and one gradient here (Nanda 2023, attribution patching).
 * @returns by name, data [positions]
 * @throws VitrineError `bad-option` where the inputs are of different lengths, and as `gradients`
 */
export async function attributionPatching(
  model: Learner,
  clean: unknown,
  corrupted: unknown,
  options: PatchingOptions,
): Promise<Map<string, Tensor>> {
  if (isFar(model)) {
    return model[afar].ask('attributionPatching', [clean, corrupted], options) as Promise<Map<string, Tensor>>;
  }
  const inside = insideOf(model);
  const isNames = listOf('names and globs', (one) => typeof one === 'string');
  checkOptions('attributionPatching', options, { loss: lossCheck, names: isNames, signal: isSignal });
  const { loss, names = ['blocks.*.hook_resid_pre'], signal } = options;
  if (loss === undefined) throw bad('attributionPatching needs a loss', '{ loss }');
  signal?.throwIfAborted();
  return onPlan(inside, async (on) => {
    const found = select(on, names);
    const [good, poor] = [await inside.read(clean, 0), await inside.read(corrupted, 1)];
    if (good.length !== poor.length || good.source?.length !== poor.source?.length) {
      throw bad(`The clean input has ${good.length} positions and the corrupted one ${poor.length}`, 'as many');
    }
    const head = headOf(inside, on, model.config, loss);
    const losts = [lostOf(loss, head, poor, 0)];
    const wanted = { names: found, stored: [] };
    const { tensors } = await differentiate(inside, { on, inputs: [poor], losts, head, wanted, edits: [], signal });
    const of = await forward(inside, on, good, found, signal);
    const before = await forward(inside, on, poor, found, signal);
    return new Map(
      found.map((name) => {
        const gradient = tensors.get(name)![0]!;
        const [a, b] = [of.get(name)!.data, before.get(name)!.data];
        const products = gradient.data.map((value, i) => (value === 0 ? 0 : value * (a[i]! - b[i]!)));
        return [name, byPosition(on, name, { data: products, shape: gradient.shape })] as const;
      }),
    );
  });
}

/** Sums over all axes but the positions. */
function byPosition(plan: Plan, name: string, { data, shape }: Tensor): Tensor {
  const isHeadFirst = keyAxisOf(plan.tensors.get(tensorNamed(plan, name))!) !== undefined;
  const positions = shape[isHeadFirst ? 1 : 0]!;
  const inner = isHeadFirst ? shape[2]! : data.length / positions;
  const sums = new Float64Array(positions);
  for (const [i, value] of data.entries()) sums[Math.floor(i / inner) % positions]! += value;
  return { data: Float32Array.from(sums), shape: [positions] };
}

/**
 * What each position's embedding adds to a loss on the way from a baseline (Sundararajan, Taly & Yan 2017): (embedding - baseline) times
 * the mean gradient between them, by the midpoint rule, summed over the embedding. All together are about loss(input) - loss(baseline).
 * Of an encoder-decoder the positions are the source's, of an image its patches.
 * @returns data [positions]
 */
export async function integratedGradients(model: Learner, input: unknown, options: IntegratedOptions): Promise<Tensor> {
  if (isFar(model)) return model[afar].ask('integratedGradients', [input], options) as Promise<Tensor>;
  const inside = insideOf(model);
  const isBaseline = (value: unknown) => value === 'zero' || integer(0, model.config.vocabSize - 1).accepts(value);
  checkOptions('integratedGradients', options, {
    loss: lossCheck,
    steps: integer(1, 10_000),
    baseline: { expects: '"zero" or a token id', accepts: isBaseline },
    signal: isSignal,
  });
  const { loss, steps = 32, baseline = 'zero', signal } = options;
  if (loss === undefined) throw bad('integratedGradients needs a loss', '{ loss }');
  signal?.throwIfAborted();
  return onPlan(inside, async (on) => {
    const read = await inside.read(input, 0);
    const head = headOf(inside, on, model.config, loss);
    const losts = [lostOf(loss, head, read, 0)];
    const name = embeddingOf(on);
    const end = (await forward(inside, on, read, [name], signal)).get(name)!;
    const start = await startOf(inside, on, { name, baseline, end }, signal);
    const sum = new Float64Array(end.data.length);
    const wanted = { names: [name], stored: [] };
    for (let step = 0; step < steps; step++) {
      const share = (step + 0.5) / steps;
      const between = end.data.map((value, i) => start[i]! + share * (value - start[i]!));
      const edits = [{ name, set: between }];
      const { tensors } = await differentiate(inside, { on, inputs: [read], losts, head, wanted, edits, signal });
      for (const [i, value] of tensors.get(name)![0]!.data.entries()) sum[i]! += value / steps;
    }
    const data = end.data.map((value, i) => (value - start[i]!) * sum[i]!);
    return byPosition(on, name, { data, shape: end.shape });
  });
}

const embeddings = ['hook_embed', 'embed.hook_embed', 'encoder.embed.hook_embed'];

const embeddingOf = ({ tensors }: Plan): string => embeddings.find((name) => tensors.has(name))!;

/** The baseline in the embedding's place, each row the same: what the model, with its adapter, looks up for that token. */
async function startOf(
  inside: Insides,
  on: Plan,
  { name, baseline, end }: { name: string; baseline: 'zero' | number; end: Tensor },
  signal: AbortSignal | undefined,
): Promise<Float32Array> {
  const start = new Float32Array(end.data.length);
  if (baseline === 'zero') return start;
  const { kind } = inside;
  if (kind === 'vision') throw bad('The baseline is a token id, and an image has none', '"zero"');
  const ids = [baseline];
  const one = kind === 'decoder' ? ids : kind === 'encoder' ? { ids } : { source: ids, target: ids };
  const { data } = (await forward(inside, on, await inside.read(one, 0), [name], signal)).get(name)!;
  for (let at = 0; at < start.length; at += data.length) start.set(data, at);
  return start;
}
