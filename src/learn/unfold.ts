import { type AddedWeight, type Plan, type Step, stepsOf, type TensorSpec, widthOf } from '../plan/plan.ts';

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
  const unfold = (step: Step): Step[] => {
    const low = step.op === 'linear' && lows.get(step.outputs[0]!);
    if (step.op === 'linear' && low) {
      const parts = low.parts.map((_, p) => tensor(`${low.input}, ${p}`, [shapeOf(low.input)[0]!, low.rank]));
      return [{ ...step, outputs: parts }];
    }
    if (!isLow(step)) return [step];
    const { lowRank, ...plain } = step;
    const [steps, sums]: [Step[], string[]] = [[], []];
    const parts = lowRank.parts.map((length) => ({ length }));
    let row = 0;
    for (const [p, own] of outputsByPart(step, parts, tensors).entries()) {
      const rows = parts[p]!.length;
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

/** The outputs that each part of a layer makes, by how many columns it has. */
export function outputsByPart(
  { outputs }: Linear,
  parts: readonly { length: number }[],
  tensors: ReadonlyMap<string, TensorSpec>,
): string[][] {
  let next = 0;
  return parts.map(({ length }) => {
    const own: string[] = [];
    for (let width = 0; width < length; width += widthOf(tensors.get(own.at(-1)!)!)) own.push(outputs[next++]!);
    return own;
  });
}

const isLow = (step: Step): step is Linear & Required<Pick<Linear, 'lowRank'>> =>
  step.op === 'linear' && step.lowRank !== undefined;
