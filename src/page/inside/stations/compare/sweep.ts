import { logitDifference, patchingSweep } from '../../../../analysis/index.ts';
import type { WorkerModel } from '../../../../embed/client.ts';
import { largest, softmax } from '../../../shares.ts';
import { readOf } from '../../../tokens.ts';
import { type Reading, readingOf } from '../../reading.ts';

/** What putting one text's stream into another, place by place, was found to do. */
export interface Sweep {
  own: Reading;
  other: Reading;
  /** What is likelier after the own text than after the other, and the other way round. */
  wrong: number;
  right: number;
  /** The metric, logit of `right` less that of `wrong`, of both as they are. */
  from: number;
  to: number;
  /** [nLayer, tokens]: how far each patch moves it, 0 as in the own text, 1 as in the other; NaN until it is known. */
  shares: Float32Array;
  way: Way;
  done: number;
  total: number;
}

/** A run for each place, or all places at once from a gradient: right where the model is nearly linear in what is patched. */
export const ways = ['runs', 'gradient'] as const;
export type Way = (typeof ways)[number];

/** Why two texts cannot be compared. */
export type Refusal = 'same' | 'alike' | { own: number; other: number };

/** Sweeps over blocks and pieces, from the first piece that differs: before it the two streams are the same. */
export async function sweepOf(
  own: Reading,
  text: string,
  way: Way,
  signal: AbortSignal,
  onStep: (sweep: Sweep) => void,
): Promise<Refusal | undefined> {
  const { model } = own;
  const { ids } = await readOf(model, text);
  if (ids.length !== own.ids.length) return { own: own.ids.length, other: ids.length };
  const first = ids.findIndex((id, i) => id !== own.ids[i]);
  if (first < 0) return 'same';
  const other = await readingOf(model, ids, text);
  const at = ids.length - 1;
  const logits = await Promise.all(
    [own, other].map(async (one) => (await model.trace(one.ids, { logits: [at], signal })).logits.data),
  );
  const [before, after] = logits as [Float32Array, Float32Array];
  const [p, q] = [softmax(before), softmax(after)];
  const [right = 0] = largest(
    q.map((share, id) => share - p[id]!),
    1,
  );
  const [wrong = 0] = largest(
    p.map((share, id) => share - q[id]!),
    1,
  );
  const [from, to] = [before[right]! - before[wrong]!, after[right]! - after[wrong]!];
  if (from === to) return 'alike';
  const { nLayer } = model.config;
  const shares = new Float32Array(nLayer * ids.length).fill(Number.NaN);
  for (let layer = 0; layer < nLayer; layer++) shares.fill(0, layer * ids.length, layer * ids.length + first);
  const positions = [...ids.keys()].slice(first);
  const total = nLayer * positions.length;
  let sweep: Sweep = { own, other, wrong, right, from, to, shares, way, done: 0, total };
  onStep(sweep);
  if (way === 'gradient') {
    const moves = await movesByGradient(model, { own, other, right, wrong }, signal);
    const all = shares.map((share, i) => (Number.isNaN(share) ? moves[i]! / (to - from) : share));
    onStep({ ...sweep, shares: all, done: total });
    return undefined;
  }
  await patchingSweep(model, ids, own.ids, logitDifference(right, wrong), {
    positions,
    logits: [at],
    signal,
    onValue: (layer, position, value) => {
      const next = sweep.shares.slice();
      next[layer * ids.length + position] = (value - from) / (to - from);
      sweep = { ...sweep, shares: next, done: sweep.done + 1 };
      onStep(sweep);
    },
  });
  return undefined;
}

/** [nLayer, tokens]: by how much each patch moves the metric, to first order. */
async function movesByGradient(
  model: WorkerModel,
  { own, other, right, wrong }: Pick<Sweep, 'own' | 'other' | 'right' | 'wrong'>,
  signal: AbortSignal,
): Promise<number[]> {
  const { attributionPatching } = await import('../../../../learn/index.ts');
  const names = Array.from({ length: model.config.nLayer }, (_, layer) => `blocks.${layer}.hook_resid_pre`);
  const loss = { logit: right, minus: wrong };
  const found = await attributionPatching(model, other.ids, own.ids, { loss, names, signal });
  return names.flatMap((name) => [...found.get(name)!.data]);
}
