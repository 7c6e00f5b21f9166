import { type AddedWeight, type Plan, type Step, stepsOf, type TensorSpec } from '../plan/plan.ts';

/**
 * A plan with an adapter on as a plan of plain steps, which can be differentiated: what a layer takes along (`lowRank`) are layers of
 * their own, one for each part. The weights that it adds are those alone; the adapter's others stay where they are.
 */
export function unfolded(plan: Plan): Plan {
  const layers = stepsOf(plan).filter(isLow);
  if (layers.length === 0) return plan;
  const tensors = new Map(plan.tensors);
  const values = new Map(plan.added!.map((one) => [one.spec.name, one.values]));
  const lows = new Map(layers.map(({ lowRank }) => [lowRank.input, lowRank]));
  const added: AddedWeight[] = [];
  const tensor = (name: string, shape: TensorSpec['shape']) => {
    tensors.set(name, { name, shape });
    return name;
  };
  const shapeOf = (name: string) => tensors.get(name)!.shape;
  const widthOf = (name: string) =>
    shapeOf(name)
      .slice(1)
      .reduce<number>((a, b) => a * (b as number), 1);
  const unfold = (step: Step): Step[] => {
    const low = step.op === 'linear' && lows.get(step.outputs[0]!);
    if (step.op === 'linear' && low) {
      const parts = low.parts.map((_, p) => tensor(`${low.input}, ${p}`, [shapeOf(low.input)[0]!, low.rank]));
      return [{ ...step, outputs: parts }];
    }
    if (!isLow(step)) return [step];
    const { lowRank, ...plain } = step;
    const [steps, sums]: [Step[], string[]] = [[], []];
    let [next, row] = [0, 0];
    for (const [p, rows] of lowRank.parts.entries()) {
      const own: string[] = [];
      for (let width = 0; width < rows; next++) {
        own.push(step.outputs[next]!);
        width += widthOf(step.outputs[next]!);
      }
      const weight = `${lowRank.weight}, ${p}`;
      const spec = { name: weight, kind: 'matrix', rows, columns: lowRank.rank, storedTransposed: false } as const;
      const from = values.get(lowRank.weight)!;
      added.push({ spec, values: from.subarray(row * lowRank.rank, (row + rows) * lowRank.rank) });
      row += rows;
      const bases = own.map((name) => tensor(`adapter: ${name}, base`, shapeOf(name)));
      const more = own.map((name) => tensor(`adapter: ${name}, more`, shapeOf(name)));
      sums.push(...bases);
      steps.push({ op: 'linear', input: `${lowRank.input}, ${p}`, weight, outputs: more });
      steps.push(...own.map((output, i): Step => ({ op: 'binary', kind: 'add', a: bases[i]!, b: more[i]!, output })));
    }
    return [{ ...plain, outputs: sums }, ...steps];
  };
  return {
    ...plan,
    ...{ tensors, added, weights: [...plan.weights, ...added.map(({ spec }) => spec)] },
    ...(plan.encoder && { encoder: plan.encoder.flatMap(unfold) }),
    steps: plan.steps.flatMap(unfold),
  };
}

type Linear = Extract<Step, { op: 'linear' }>;
const isLow = (step: Step): step is Linear & Required<Pick<Linear, 'lowRank'>> =>
  step.op === 'linear' && step.lowRank !== undefined;
