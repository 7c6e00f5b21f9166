import { isInternal } from '../plan/internal.ts';
import type { Plan, TensorSpec } from '../plan/plan.ts';

export interface TracedTensor {
  data: Float32Array;
  /** As `tensors()` says, with the text's length for `rows` and `context`. */
  shape: number[];
}

/** The tensors captured, by name, with the logits of every position and the tokens. */
export class Trace extends Map<string, TracedTensor> {
  readonly tokens: readonly number[];
  /** [tokens, vocabSize]; with the option `logits`, the positions asked for in their order. */
  readonly logits: TracedTensor;

  constructor(tokens: readonly number[], logits: TracedTensor, tensors: Iterable<[string, TracedTensor]>) {
    super(tensors);
    this.tokens = tokens;
    this.logits = logits;
  }
}

/** Every tensor that a trace can capture, with second names of the scheme. Internal ones, and the logits, are not among them. */
export function tensorsOf(plan: Plan): TensorSpec[] {
  const own = [...plan.tensors.values()].filter(({ name }) => !isInternal(name));
  const specOf = (first: string) => plan.tensors.get(plan.aliases.get(first) ?? first)!;
  const second = [...plan.aliases].map(([name, first]) => ({ ...specOf(first), name }));
  return [...own, ...second].map(({ name, shape }) => ({ name, shape: [...shape] }));
}

/** The names that are accepted: of a plan's own, or where those have none, of its others. */
export function namesThat(accepts: (name: string) => boolean, own: readonly string[], others: readonly string[]) {
  const found = own.filter((name) => accepts(name));
  return found.length > 0 ? found : others.filter((name) => accepts(name));
}
