import { type Edit, withEdits } from '../plan/edit.ts';
import { gradient, gradOf, gradOfWeight, losses } from '../plan/gradient.ts';
import { isMuchToKeep } from '../plan/gradient-recompute.ts';
import { tensorNamed } from '../plan/lens-names.ts';
import { type AxisSizes, keyAxisOf, type Plan, product, shapeOf, stepOutputs } from '../plan/plan.ts';
import { trimmed } from '../plan/trim.ts';
import type { Engine } from '../run/engine.ts';
import type { Insides, PlanInput } from '../run/insides.ts';
import type { Tensor } from '../run/loaded.ts';
import { Runner } from '../run/runner.ts';
import { refuseDropped } from '../run/trace.ts';
import { ofPatches, patches } from '../run/vision.ts';
import { answering } from './answering.ts';
import { bad, type Head, type Lost } from './loss.ts';
import { isOutOfMemory, noRoomFor } from './memory.ts';
import { type Packed, pack } from './pack.ts';
import type { StoredWeight } from './stored.ts';
import { unfolded } from './unfold.ts';
import { type LeftOut, without } from './without.ts';

/** Rows that are differentiated in one run where inputs are many. */
const mostRows = 512;

/** What is asked for: tensors under any of their names, and stored weights. */
export interface Wrt {
  names: readonly string[];
  stored: readonly StoredWeight[];
}

export interface Work {
  /** What is differentiated: the plan that the call began with, which `onPlan` holds. */
  on: Plan;
  inputs: readonly PlanInput[];
  losts: readonly Lost[];
  head: Head;
  wanted: Wrt;
  edits: readonly Edit[];
  without?: readonly LeftOut[];
  /** Blocks are made again on the way back; by default where much would be kept. */
  recompute?: boolean;
  signal: AbortSignal | undefined;
}

/** A batch's loss, the gradients of tensors for each input, and of the plan's weights [rows, columns]. */
export interface Differentiated {
  loss: number;
  tensors: Map<string, Tensor[]>;
  weights: Map<string, Float32Array>;
}

/** Does what takes several runs on the plan that it begins with: what an adapter has on the device stays there until it is done. */
export async function onPlan<T>({ engine }: Insides, use: (on: Plan) => Promise<T>): Promise<T> {
  const on = engine.plan;
  engine.hold(on);
  try {
    return await use(on);
  } finally {
    engine.release(on);
  }
}

export async function differentiate(
  inside: Insides,
  { on, inputs, losts, head, wanted, edits, without: leftOut = [], recompute: isAsked, signal }: Work,
): Promise<Differentiated> {
  const { engine, kind } = inside;
  const lossKind = losts[0]!.kind;
  if (losts.some((one) => one.kind !== lossKind)) {
    throw bad('The labels are of different kinds', 'all of them classes, lists or numbers');
  }
  const count = losts.reduce((sum, one) => sum + one.count, 0);
  if (count === 0 && lossKind !== 'dot') throw bad('No token of the inputs has a label', 'at least one');
  const scale = lossKind === 'dot' ? 1 : 1 / count;
  const { plan: whole, nameOf } = without(answering(unfolded(on), inside, head), leftOut);
  const names = wanted.names.map((name) => nameOf(tensorNamed(on, name)));
  const weights = [...new Set(wanted.stored.flatMap(({ of }) => of.map(({ weight }) => weight.name)))];
  const sum: Differentiated = { loss: 0, tensors: new Map(wanted.names.map((name) => [name, []])), weights: new Map() };
  // Positions of an edit count one text, so each has a plan of its own then.
  for (const range of rangesOf(inputs, edits.length > 0 ? 0 : mostRows)) {
    const some = inputs.slice(...range);
    const reads = some.map((input, i) => ({ input, lost: losts[range[0] + i]! }));
    const base = trimmed(edited(whole, edits, some[0]!), new Set(['logits', ...names]));
    const packed = pack(reads, kind, scale);
    const recompute = isAsked ?? isMuchToKeep(base, packed.size);
    const plan = gradient(base, lossKind, { tensors: names, weights, recompute });
    const capture = [losses, ...names.map(gradOf), ...weights.map(gradOfWeight)];
    const run = await runOnce(engine, plan, packed, capture, signal);
    for (const value of run.get(losses)!.data) sum.loss += value * scale;
    for (const name of weights) addTo(sum.weights, name, run.get(gradOfWeight(name))?.data);
    for (const [n, name] of wanted.names.entries()) {
      const share = shareOf(base, names[n]!, run.get(gradOf(names[n]!)), packed);
      sum.tensors.get(name)!.push(...reads.map(({ input, lost }, i) => share(input, lost, i)));
    }
  }
  return sum;
}

/** Inner tensors of one input, forward alone, as `differentiate` gives their gradients. */
export async function forward(
  { engine, kind }: Insides,
  on: Plan,
  input: PlanInput,
  names: readonly string[],
  signal: AbortSignal | undefined,
): Promise<Map<string, Tensor>> {
  const own = names.map((name) => tensorNamed(on, name));
  const plan = trimmed(on, new Set(own));
  const lost: Lost = { kind: 'dot', rows: [0], labels: [], count: 0 };
  const packed = pack([{ input, lost }], kind, 1);
  const run = await runOnce(engine, plan, packed, own, signal);
  return new Map(names.map((name, i) => [name, shareOf(plan, own[i]!, run.get(own[i]!), packed)(input, lost, 0)]));
}

function edited(plan: Plan, edits: readonly Edit[], input: PlanInput): Plan {
  const { length, source, rows, prefix } = input;
  if (edits.length === 0) return plan;
  refuseDropped(source);
  if (rows.length < length) throw bad('edits and a mask that drops ids were given', 'one of them');
  const isOfPatches = ({ name }: Edit) => prefix !== undefined && tensorNamed(plan, name) === patches;
  const moved = edits.map((edit) => (isOfPatches(edit) ? ofPatches(edit, length, prefix!) : edit));
  return withEdits(plan, moved, length, source?.length);
}

/** Inputs that are run together: as many as have so many rows, one at least. */
function* rangesOf(inputs: readonly PlanInput[], most: number): Generator<[number, number]> {
  let [start, rows] = [0, 0];
  for (const [i, input] of inputs.entries()) {
    const own = Math.max(input.rows.length, input.source?.rows.length ?? 0);
    if (i > start && rows + own > most) {
      yield [start, i];
      [start, rows] = [i, 0];
    }
    rows += own;
  }
  yield [start, inputs.length];
}

type Captured = Map<string, { data: Float32Array; sizes: AxisSizes }>;

/** Runs a plan with its gradient: the encoder forward, the rest forward and back, and the encoder back. */
async function runOnce(
  engine: Engine,
  plan: Plan,
  { size, batch, encoding }: Packed,
  capture: readonly string[],
  signal: AbortSignal | undefined,
): Promise<Captured> {
  const named = capture.map((name) => [name, plan.aliases.get(name) ?? name] as const);
  const kept = new Set(named.map(([, name]) => name).filter((name) => plan.tensors.has(name)));
  const runner = new Runner(engine, plan, size, kept);
  try {
    await engine.turn(signal);
    const found = await runsOf(runner, { batch, ...(encoding && { encoding }) }, signal).catch(
      async (error: unknown) => {
        if (!isOutOfMemory(error)) throw error;
        const wanted = await runner.bytesOn(engine.current);
        throw noRoomFor(`A gradient of ${batch.rows.length} tokens at once`, wanted, error);
      },
    );
    return new Map(named.flatMap(([name, own]) => (found.has(own) ? [[name, found.get(own)!] as const] : [])));
  } finally {
    runner.dispose();
  }
}

/** The runs of a batch, of which the last that makes a tensor counts; `logits` are the loss's own. */
export async function runsOf(
  runner: Runner,
  { batch, encoding }: Pick<Packed, 'batch' | 'encoding'>,
  signal: AbortSignal | undefined,
): Promise<Captured> {
  const back = encoding && runner.plan.encoderBackward ? [{ ...encoding, encodes: 'backward' as const }] : [];
  const runs = [...(encoding ? [encoding] : []), batch, ...back];
  return runner.use(signal, async (program) => {
    const found: Captured = new Map();
    for (const one of runs) {
      const { captured, sizes, logits } = await program.run(one);
      for (const [name, data] of captured) found.set(name, { data, sizes });
      if (one === batch && !found.has('logits')) found.set('logits', { data: logits, sizes });
    }
    return found;
  });
}

/** Adds a gradient to those that there are. */
export function addTo(sums: Map<string, Float32Array>, name: string, data: Float32Array | undefined): void {
  const sum = sums.get(name);
  if (!data) return;
  if (!sum) sums.set(name, data);
  else for (let i = 0; i < data.length; i++) sum[i]! += data[i]!;
}

/** Gives an input's share of a tensor's gradient, in the shape of a trace: 0 where its mask drops something, or without a gradient. */
function shareOf(
  plan: Plan,
  name: string,
  found: { data: Float32Array; sizes: AxisSizes } | undefined,
  packed: Packed,
) {
  const spec = plan.tensors.get(name)!;
  const isEncoded = Boolean(plan.encoder?.some((step) => stepOutputs(step).includes(name)));
  const keyAxis = keyAxisOf(spec);
  let logits = 0;
  return (input: PlanInput, lost: Lost, i: number): Tensor => {
    const { prefix = 0 } = input;
    const source = input.source ?? { length: 0, rows: [] };
    const own = isEncoded ? { ...source, first: packed.sourceFirst[i]! } : { ...input, first: packed.first[i]! };
    const keys = keyAxis === 'source' ? source : own;
    const placesOf = ({ rows }: Pick<PlanInput, 'rows'> | typeof source) =>
      rows.map((row) => ('at' in row ? (row.at as number) : row.position));
    const isLogits = spec.shape[0] === 'logitRows';
    const sizes = { rows: own.length, logitRows: lost.rows.length, context: keys.length, source: keys.length };
    const shape = shapeOf(spec, sizes);
    const data = new Float32Array(product(shape));
    const first = isLogits ? logits : own.first;
    logits += lost.rows.length;
    if (!found) return { data, shape };
    const places = isLogits ? [...lost.rows.keys()] : placesOf(own);
    if (keyAxis) {
      const [width, keyPlaces] = [found.sizes[keyAxis], placesOf(keys)];
      const total = found.data.length / (shape[0]! * width);
      for (let head = 0; head < shape[0]!; head++) {
        for (const [r, at] of places.entries()) {
          const row = ((head * total + first + r) * width) | 0;
          for (const [k, key] of keyPlaces.entries()) {
            if (k < width) data[(head * own.length + at) * keys.length + key] = found.data[row + k]!;
          }
        }
      }
      return { data, shape };
    }
    const width = data.length / shape[0]!;
    for (const [r, at] of places.entries()) {
      data.set(found.data.subarray((first + r) * width, (first + r + 1) * width), at * width);
    }
    if (name !== patches || prefix === 0) return { data, shape };
    return { data: data.slice(prefix * width), shape: [shape[0]! - prefix, width] };
  };
}
