import { type Plan, type Step, stepInputs, stepOutputs } from '../plan/plan.ts';

/**
 * The same plan with the rows whose logits are wanted picked as early as can be: behind the last attention, so that a prefill makes
 * what follows for them alone. What somebody asked to see, in `keep`, or edits, is made of all rows as before.
 */
export function selectedEarly(plan: Plan, keep: ReadonlySet<string>): Plan {
  const readers = new Map<string, Step[]>();
  for (const step of plan.steps) {
    for (const name of stepInputs(step)) readers.set(name, [...(readers.get(name) ?? []), step]);
  }
  /** Steps of each row alone, of which nothing but picked rows are read. */
  const early = new Set<Step>();
  const isPick = (step: Step) => step.op === 'selectRows' && !keep.has(step.output);
  const isPicked = (name: string) =>
    !keep.has(name) && !!readers.get(name)?.every((step) => early.has(step) || isPick(step));
  for (const step of [...plan.steps].reverse()) {
    if (isRowWise(step) && stepOutputs(step).every(isPicked)) early.add(step);
  }

  const tensors = new Map(plan.tensors);
  /** What picked rows are called now that were picked before. */
  const names = new Map<string, string>();
  const pick = (name: string, as: string) =>
    tensors.set(as, { name: as, shape: ['logitRows', ...tensors.get(name)!.shape.slice(1)] });
  const isOfAll = (name: string) => tensors.get(name)!.shape[0] === 'rows';
  const steps = plan.steps.flatMap((step): Step[] => {
    if (isPick(step) && !isOfAll(stepInputs(step)[0]!)) {
      names.set(stepOutputs(step)[0]!, stepInputs(step)[0]!);
      return [];
    }
    if (!early.has(step)) return [reading(step, (name) => names.get(name) ?? name)];
    const before: Step[] = [];
    const own = reading(step, (name) => {
      const output = `selected ${name}`;
      if (!isOfAll(name)) return name;
      if (!tensors.has(output)) before.push({ op: 'selectRows', input: name, output });
      pick(name, output);
      return output;
    });
    for (const name of stepOutputs(step)) pick(name, name);
    return [...before, own];
  });
  return { ...plan, steps, tensors };
}

const isRowWise = ({ op }: Step): boolean => ['norm', 'normScale', 'linear', 'binary', 'activation'].includes(op);

/** A step of each row alone that reads other tensors. */
function reading(step: Step, at: (name: string) => string): Step {
  switch (step.op) {
    case 'binary':
      return { ...step, a: at(step.a), b: at(step.b) };
    case 'norm':
      return { ...step, input: at(step.input), ...(step.scale !== undefined && { scale: at(step.scale) }) };
    case 'linear': {
      const { input, lowRank } = step;
      return { ...step, input: at(input), ...(lowRank && { lowRank: { ...lowRank, input: at(lowRank.input) } }) };
    }
    case 'normScale':
    case 'activation':
      return { ...step, input: at(step.input) };
    default:
      return step;
  }
}
