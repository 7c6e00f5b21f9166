import { keyAxisOf, type Plan, type Step, stepInputs, stepOutputs } from './plan.ts';

/**
 * The plan without the steps of which none of `wanted` is made.
 * @param rows of the text that will be run: what edits set at all of its positions needs not be made
 */
export function trimmed(plan: Plan, wanted: ReadonlySet<string>, rows?: number): Plan {
  const needed = new Set([...wanted].map((name) => plan.aliases.get(name) ?? name));
  const sources = new Set<string>();
  const kept: Step[] = [];
  for (const step of [...plan.steps].reverse()) {
    const isNeeded =
      step.op === 'cacheAppend' ? sources.has(step.source) : stepOutputs(step).some((name) => needed.has(name));
    if (!isNeeded) continue;
    kept.unshift(step);
    if ('source' in step) sources.add(step.source);
    if (rows !== undefined && isSet(plan, step, rows)) needed.delete((step as Step & { op: 'edit' }).tensor);
    else for (const name of stepInputs(step)) needed.add(name);
  }
  return { ...plan, steps: kept };
}

/** Whether a step gives all values of its tensor for a text of so many rows. Of scores, what a row does not see must be masked first. */
function isSet(plan: Plan, step: Step, rows: number): boolean {
  if (step.op !== 'edit' || keyAxisOf(plan.tensors.get(step.tensor)!)) return false;
  const [{ kind, heads, positions } = {}] = step.edits;
  return kind === 'set' && heads === undefined && (positions === undefined || positions.length === rows);
}
