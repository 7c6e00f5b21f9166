import { renamed } from '../plan/gradient-recompute.ts';
import type { Plan, Step } from '../plan/plan.ts';

/** Steps that a model may be built without: the sums around attention and MLP, so that each block passes on what it found alone, or all norms. */
export type LeftOut = 'residuals' | 'norms';

/** The sums of a block, and the first of two where attention and MLP read the same residual. */
const sums = /^(blocks|encoder|decoder)\.\d+\.(hook_resid_(mid|mid_cross|post)|sum)$/;

/** A plan without such steps, and what a tensor of the whole plan is in it: that of a norm is what the norm read. */
export function without(plan: Plan, parts: readonly LeftOut[]): { plan: Plan; nameOf(name: string): string } {
  const names = new Map<string, string>();
  const dropped = new Set<string>();
  const kept = (step: Step): boolean => {
    if (step.op === 'normScale' && parts.includes('norms')) dropped.add(step.output);
    else if (step.op === 'norm' && parts.includes('norms')) names.set(step.output, step.input);
    else if (parts.includes('residuals') && isResidual(step)) {
      // What is added to the residual takes the sum's name.
      names.set(step.b, step.output);
    } else return true;
    return false;
  };
  const [encoder, steps] = [plan.encoder?.filter(kept), plan.steps.filter(kept)];
  const nameOf = (name: string): string => {
    const next = names.get(name);
    return next === undefined ? name : nameOf(next);
  };
  return {
    plan: {
      ...plan,
      ...(encoder && { encoder: encoder.map((step) => renamed(step, nameOf)) }),
      steps: steps.map((step) => renamed(step, nameOf)),
      tensors: new Map([...plan.tensors].filter(([name]) => !names.has(name) && !dropped.has(name))),
      aliases: new Map([...plan.aliases].map(([name, own]) => [name, nameOf(own)])),
    },
    nameOf,
  };
}

/** Of two sums the second adds what the first made of attention and residual: it stays. */
function isResidual(step: Step): step is Extract<Step, { op: 'binary' }> {
  return step.op === 'binary' && step.kind === 'add' && sums.test(step.output) && !step.a.endsWith('.sum');
}
