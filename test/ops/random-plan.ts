import type { Backend, Batch, Program, Row } from '../../src/plan/backend.ts';
import { PlanBuilder } from '../../src/plan/builder.ts';
import { fuse, type Rule } from '../../src/plan/fuse.ts';
import { gradient, gradOf, gradOfWeight, type Loss, losses } from '../../src/plan/gradient.ts';
import type { Plan, TensorEdit } from '../../src/plan/plan.ts';
import { randomValues, seeded } from './mini-plan.ts';

/** A plan with a loss, its weights and a batch: all that a gradient is made of. */
export interface Case {
  plan: Plan;
  kind: Loss;
  weights: Map<string, Float32Array>;
  batch: Batch;
}

/** Lengths of the texts that are packed into a batch. */
const texts = [5, 1, 3];

/** Rows of several texts, each seeing its own up to itself, or all of it. */
function rowsOf(isCausal: boolean, next: () => number): Row[] {
  const rows: Row[] = [];
  for (const length of texts) {
    const first = rows.length;
    for (let i = 0; i < length; i++) {
      const seen = { at: first + i, first, sees: isCausal ? i + 1 : length };
      rows.push({ token: Math.floor(next() * 7), position: i, slot: 0, segment: i % 2, ...seen });
    }
  }
  return rows;
}

/** A random plan of every op: some blocks of attention (shared heads, windows, distances, angles), norms, gates and sums. */
export function randomCase(seed: number): Case {
  const random = seeded(seed);
  const next = () => (random() + 1) / 2;
  const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)]!;
  const b = new PlanBuilder();
  const [keyHeads, headDim] = [pick([1, 2]), pick([4, 6])];
  const nHead = keyHeads * pick([1, 3]);
  const width = pick([5, 7, 66]);
  const words = b.matrix('words', 7, width);
  const places = b.matrix('places', 6, width);
  const angles = b.matrix('angles', 6, 2 * Math.floor(headDim / 2));
  const distances = b.matrix('distances', nHead, 5);
  const isCausal = next() < 0.5;
  const shared = b.source('text', { nHead: keyHeads, headDim, axis: 'rows' });
  const tables = [
    { weight: words, by: 'token' as const, scale: 1.5, padding: pick([undefined, 3]) },
    ...(next() < 0.5 ? [{ weight: places, by: 'position' as const, first: 1 }] : []),
  ];
  let x = b.embed('embedded', ...tables);
  for (let i = 0; i < 2; i++) {
    const norm = (name: string, input: string, n: number) => {
      const centred = next() < 0.5;
      const weight = b.vector(`${name}.gain`, n);
      const bias = next() < 0.5 ? { bias: b.vector(`${name}.bias`, n) } : {};
      return b.norm(name, input, { weight, ...bias, epsilon: 1e-3, centred });
    };
    const layer = (name: string, nIn: number, nOut: number) => b.layer(name, nIn, nOut, { bias: next() < 0.5 });
    const source = next() < 0.5 ? shared : b.source(`cache.${i}`, { nHead: keyHeads, headDim, axis: 'context' });
    const normed = next() < 0.7 ? norm(`${i}.ln`, x, width) : x;
    let [q, k, v] = b.linear(
      normed,
      layer(`${i}.qkv`, width, (nHead + 2 * keyHeads) * headDim),
      [`${i}.q`, nHead, headDim],
      [`${i}.k`, keyHeads, headDim],
      [`${i}.v`, keyHeads, headDim],
    ) as [string, string, string];
    if (next() < 0.5) [q, k] = [norm(`${i}.qn`, q, headDim), norm(`${i}.kn`, k, headDim)];
    if (next() < 0.5) [q, k] = [b.rotate(`${i}.rq`, q, angles), b.rotate(`${i}.rk`, k, angles)];
    b.append(k, v, source);
    const more = { ...(next() < 0.5 && { bias: distances }), ...(isCausal && next() < 0.5 && { window: 2 }) };
    const z = b.attention(`${i}.attn`, q, source, 0.7, more);
    const [out] = b.linear(z, layer(`${i}.out`, nHead * headDim, width), [`${i}.attended`, width]);
    const mid = b.add(`${i}.mid`, x, out!);
    const kind = pick(['gelu_new', 'gelu', 'relu', 'silu', 'tanh'] as const);
    const [up, gate] = b.linear(mid, layer(`${i}.up`, width, 22), [`${i}.pre`, 11], [`${i}.other`, 11]);
    const active = b.activate(`${i}.active`, kind, up!);
    const gated = next() < 0.7 ? b.multiply(`${i}.gated`, active, gate!) : active;
    x = b.add(`${i}.post`, mid, b.linear(gated, layer(`${i}.down`, 11, width), [`${i}.mlp`, width])[0]!);
  }
  const kind = pick(['crossEntropy', 'dot', 'squared', 'logistic'] as const);
  const isTied = next() < 0.5;
  const vocabSize = isTied ? 7 : 3;
  const head = isTied ? { weight: words } : b.layer('head', width, vocabSize);
  b.linear(b.select('selected', x), head, ['logits', vocabSize]);
  const plan = b.plan({ nCtx: 6, vocabSize });
  const weights = new Map(
    plan.weights.map(({ name, rows, columns, kind }, i) => {
      const values = randomValues(rows * columns, 100 * seed + i, kind === 'vector' ? 0.4 : 1.5 / Math.sqrt(columns));
      return [name, name.endsWith('.gain') ? values.map((value) => value + 1) : values];
    }),
  );
  for (const [i, value] of weights.get(angles)!.entries()) weights.get(angles)![i] = Math.cos(value);
  const logitRows = [1, 4, 5, 8];
  const count = logitRows.length * (kind === 'crossEntropy' ? 1 : vocabSize);
  const labels = Float32Array.from({ length: count }, () =>
    kind === 'crossEntropy' ? Math.floor(next() * vocabSize) : Math.round(next()),
  );
  return { plan, kind, weights, batch: { rows: rowsOf(isCausal, next), logitRows, labels, lossScale: 0.25 } };
}

/** Where answers begin and end: two logits of each row, right in one row of each of three texts, of which one is longer than a workgroup. */
export function answersCase(): Case {
  const b = new PlanBuilder();
  const x = b.embed('embedded', { weight: b.matrix('words', 7, 5), by: 'token' });
  b.linear(b.select('selected', x), b.layer('head', 5, 2), ['logits', 2]);
  const plan = b.plan({ nCtx: 100, vocabSize: 2 });
  const lengths = [70, 1, 4];
  const rows = lengths.flatMap((length) =>
    Array.from({ length }, (_, position) => ({ token: (position * 3 + length) % 7, position, slot: 0 })),
  );
  const places = [
    [3, 69],
    [0, 0],
    [2, 2],
  ] as const;
  const labels = lengths.flatMap((length, i) =>
    Array.from({ length }, (_, at) => [2 * at + +(at === places[i]![0]), 2 * length + +(at === places[i]![1])]).flat(),
  );
  const weights = new Map(
    plan.weights.map(({ name, rows, columns }, i) => [name, randomValues(rows * columns, i + 1, 0.8)]),
  );
  const batch = { rows, logitRows: [...rows.keys()], labels: Float32Array.from(labels), lossScale: 0.25 };
  return { plan, kind: 'answers', weights, batch };
}

/** Products longer than what kernels take at a time: 1,030 rows, 1,100 columns. */
export function longCase(length = 1030, words = 7): Case {
  const b = new PlanBuilder();
  const x = b.embed('embedded', { weight: b.matrix('words', words, 96), by: 'token' });
  b.linear(b.select('selected', x), b.layer('head', 96, 1100, { bias: true }), ['logits', 1100]);
  const plan = b.plan({ nCtx: length, vocabSize: 1100 });
  const all = Array.from({ length }, (_, i) => i);
  const rows = all.map((position) => ({ token: (position * 13) % words, position, slot: 0 }));
  const labels = Float32Array.from(all, (i) => (i * 31) % 1100);
  const weights = new Map(
    plan.weights.map(({ name, rows, columns }, i) => [name, randomValues(rows * columns, i + 1, 0.3)]),
  );
  return { plan, kind: 'crossEntropy', weights, batch: { rows, logitRows: all, labels, lossScale: 0.25 } };
}

/** An edit as a step behind what makes its tensor. */
export function withEdit(plan: Plan, tensor: string, edits: TensorEdit[]): Plan {
  const steps = plan.steps.flatMap((step) => {
    const makes = 'output' in step ? step.output === tensor : 'outputs' in step && step.outputs.includes(tensor);
    return makes ? [step, { op: 'edit' as const, tensor, edits }] : [step];
  });
  return { ...plan, steps };
}

/** What a backend gives of a case: its loss, and gradients by their names, of those weights and tensors that have any. */
export interface Found {
  loss: number;
  of: Map<string, Float32Array>;
}

/** A case on a backend, to be run with other weights again. */
export async function opened(
  backend: Backend,
  { plan, kind, batch, weights }: Case,
  tensors: readonly string[] = [],
  rules: readonly Rule[] = [],
) {
  const put = async (name: string, values: Float32Array) => {
    const spec = plan.weights.find((weight) => weight.name === name)!;
    async function* pieces() {
      yield values;
    }
    await backend.addWeight(spec, 'f32', pieces());
  };
  for (const [name, values] of weights) await put(name, values);
  const names = [...weights.keys()].filter((name) => name !== 'angles');
  const made = gradient(plan, kind, { tensors, weights: names });
  const wanted = [losses, ...names.map(gradOfWeight), ...tensors.map(gradOf)];
  const own = (name: string) => made.aliases.get(name) ?? name;
  const rows = batch.rows.length;
  const size = { slots: 1, context: rows, rows, logitRows: batch.logitRows.length };
  const kept = new Set(wanted.map(own).filter((name) => made.tensors.has(name)));
  const whole = { ...made, steps: fuse(made.steps, rules, kept) };
  const program: Program = await backend.program(whole, size, kept);
  const run = async (given: Batch = batch): Promise<Found> => {
    const { captured } = await program.run(given);
    const values = (name: string) => captured.get(own(name));
    return {
      loss: values(losses)!.reduce((sum, value) => sum + value * batch.lossScale!, 0),
      of: new Map(wanted.flatMap((name) => (values(name) ? [[name, values(name)!] as const] : []))),
    };
  };
  return { put, run, dispose: () => program.dispose(), steps: whole.steps };
}
