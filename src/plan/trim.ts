import { type Plan, type Step, stepInputs, stepOutputs } from './plan.ts';

/** The plan without the steps of which none of `wanted` is made. */
export function trimmed(plan: Plan, wanted: ReadonlySet<string>): Plan {
  const needed = new Set([...wanted].map((name) => plan.aliases.get(name) ?? name));
  const sources = new Set<string>();
  const kept: Step[] = [];
  for (const step of [...plan.steps].reverse()) {
    const isNeeded =
      step.op === 'cacheAppend' ? sources.has(step.source) : stepOutputs(step).some((name) => needed.has(name));
    if (!isNeeded) continue;
    kept.unshift(step);
    if ('source' in step) sources.add(step.source);
    for (const name of stepInputs(step)) needed.add(name);
  }
  return { ...plan, steps: kept };
}
