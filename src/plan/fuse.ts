import { type Norm, type Step, stepInputs, stepOutputs } from './plan.ts';

/**
 * A step that may take over the steps that made its inputs. `maker` gives the maker of a tensor that nobody else sees, `shared` that
 * of one that others see too, but no step before this one; `reader` the first step that reads a tensor, its edits among them.
 */
export type Rule = (step: Step, maker: Find, shared: Find, reader: Find) => Fused | undefined;

type Find = (tensor: string) => Step | undefined;

interface Fused {
  step: Step;
  /** Steps whose work the new step does. */
  absorbs: Step[];
}

/**
 * Rewrites steps by rules until none applies. A tensor in `keep` (somebody asked to see it) or under an `edit` step
 * is never fused away, so a trace costs only the fusions in its way.
 */
export function fuse(steps: readonly Step[], rules: readonly Rule[], keep: ReadonlySet<string>): Step[] {
  let current = [...steps];
  for (;;) {
    const next = fuseOnce(current, rules, keep);
    if (!next) return current;
    current = next;
  }
}

/** Lists of steps, each by itself: what another one reads stays. */
export function fuseLists<List extends { steps: readonly Step[] }>(
  lists: readonly List[],
  rules: readonly Rule[],
  keep: ReadonlySet<string>,
): (List & { steps: Step[] })[] {
  return lists.map((list) => {
    const others = lists.filter((one) => one !== list).flatMap(({ steps }) => steps.flatMap(stepInputs));
    return { ...list, steps: fuse(list.steps, rules, new Set([...keep, ...others])) };
  });
}

/** Each step that a rule takes, and the steps that it absorbs, once: to begin again behind each takes a plan of 500 steps 50 to 130 ms. */
function fuseOnce(steps: Step[], rules: readonly Rule[], keep: ReadonlySet<string>): Step[] | undefined {
  const { hidden, shared, firstReader } = makersOf(steps, keep);
  const places = new Map(steps.map((step, index) => [step, index]));
  const taken = new Map<Step, Step[]>();
  const maker = (tensor: string) => hidden.get(tensor);
  const readerOf = (tensor: string) => firstReader.get(tensor);
  for (const [index, step] of steps.entries()) {
    const sharedMaker = (tensor: string) => (firstReader.get(tensor) === step ? shared.get(tensor) : undefined);
    for (const rule of taken.has(step) ? [] : rules) {
      const fused = rule(step, maker, sharedMaker, readerOf);
      // What a layer's norm made must be there before any other step reads it.
      const late = fused?.absorbs.some((one) => {
        const reader = one.op === 'linear' && one.normed !== undefined && firstReader.get(one.normed);
        return reader && places.get(reader)! <= index;
      });
      if (!fused || late) continue;
      // What was changed before is another step now.
      if (fused.absorbs.some((one) => taken.has(one))) break;
      taken.set(step, [fused.step]);
      for (const one of fused.absorbs) taken.set(one, []);
      break;
    }
  }
  return taken.size > 0 ? steps.flatMap((step) => taken.get(step) ?? [step]) : undefined;
}

/** Makers of the tensors that one step makes, one step reads, and nobody else wants; and of the others that no edit touches. */
function makersOf(steps: Step[], keep: ReadonlySet<string>) {
  const uses = new Map<string, number>();
  const firstReader = new Map<string, Step>();
  const makers = new Map<string, Step>();
  const edited = new Set<string>();
  for (const step of steps) {
    for (const name of stepInputs(step)) {
      uses.set(name, (uses.get(name) ?? 0) + 1);
      if (!firstReader.has(name)) firstReader.set(name, step);
    }
    // A layer is taken over by who reads its results, not what its norm made.
    for (const name of step.op === 'linear' ? step.outputs : stepOutputs(step))
      step.op === 'edit' ? edited.add(name) : makers.set(name, step);
  }
  const [hidden, shared] = [new Map<string, Step>(), new Map<string, Step>()];
  for (const [name, step] of makers) {
    if (!edited.has(name)) (keep.has(name) || uses.get(name) !== 1 ? shared : hidden).set(name, step);
  }
  return { hidden, shared, firstReader };
}

/** normScale + norm: the scale is computed where it is used. */
export const normWithoutScale: Rule = (step, maker) => {
  if (step.op !== 'norm' || step.scale === undefined) return undefined;
  const scale = maker(step.scale);
  if (scale?.op !== 'normScale') return undefined;
  const { scale: _, ...rest } = step;
  return { step: rest, absorbs: [scale] };
};

/** embed + embed + add: what one row of each table adds up to. */
export const embedding: Rule = (step, maker) => {
  if (step.op !== 'binary' || step.kind !== 'add') return undefined;
  const [a, b] = [maker(step.a), maker(step.b)];
  if (a?.op !== 'embed' || b?.op !== 'embed') return undefined;
  return { step: { op: 'embed', tables: [...a.tables, ...b.tables], output: step.output }, absorbs: [a, b] };
};

/** selectRows + linear: the product reads just the rows whose logits are wanted. */
export const selectedLinear: Rule = (step, maker) => {
  if (step.op !== 'linear' || step.select) return undefined;
  const select = maker(step.input);
  if (select?.op !== 'selectRows') return undefined;
  return { step: { ...step, input: select.input, select: true }, absorbs: [select] };
};

/** norm + linear */
export const normedLinear: Rule = (step, maker) => {
  if (step.op !== 'linear' || step.norm) return undefined;
  return withNorm(step, maker(step.input));
};

/** norm + linear of one output, which gives what the norm made to its other readers: a residual behind the layer, or a trace. */
export const sharedNormLinear: Rule = (step, _, shared) => {
  if (step.op !== 'linear' || step.norm || step.select || step.cache || step.outputs.length !== 1) return undefined;
  return withNorm({ ...step, normed: step.input }, shared(step.input));
};

function withNorm(linear: Step & { op: 'linear' }, made: Step | undefined): Fused | undefined {
  if (made?.op !== 'norm' || made.scale !== undefined) return undefined;
  const { op: _, input, output: __, scale: ___, ...norm } = made;
  return { step: { ...linear, input, norm }, absorbs: [made] };
}

/** linear + activation */
export const activatedLinear: Rule = (step, maker) => {
  if (step.op !== 'activation') return undefined;
  const linear = plainLinear(maker(step.input));
  if (!linear || linear.activation || linear.gate) return undefined;
  return { step: { ...linear, activation: step.kind, outputs: [step.output] }, absorbs: [linear] };
};

/** linear + add, or linear + multiply. Where both operands are products, the later one takes the earlier one in. */
export const residualLinear: Rule = (step, maker) => {
  if (step.op !== 'binary') return undefined;
  for (const [product, other] of [
    [step.b, step.a],
    [step.a, step.b],
  ] as const) {
    const linear = plainLinear(maker(product));
    if (!linear || (step.kind === 'multiply' && linear.gate)) continue;
    const taken = step.kind === 'add' ? { residual: other } : { gate: other };
    return { step: { ...linear, ...taken, outputs: [step.output] }, absorbs: [linear] };
  }
  return undefined;
};

/** A linear layer to which something may be added: of one output, and nothing added yet. */
function plainLinear(step: Step | undefined): (Step & { op: 'linear' }) | undefined {
  const isPlain = step?.op === 'linear' && !step.residual && !step.gated && step.outputs.length === 1 && !step.cache;
  return isPlain ? step : undefined;
}

/** linear of two outputs + activation of the first + multiply: the gated layer of Llama's MLP (GLU, Shazeer 2020). */
export const gatedLinear: Rule = (step, maker) => {
  if (step.op !== 'binary' || step.kind !== 'multiply') return undefined;
  const activation = maker(step.a);
  if (activation?.op !== 'activation') return undefined;
  const linear = maker(activation.input);
  if (linear?.op !== 'linear' || linear !== maker(step.b)) return undefined;
  const [gate, up, more] = linear.outputs;
  if (gate !== activation.input || up !== step.b || more !== undefined) return undefined;
  if (linear.activation || linear.gate || linear.residual) return undefined;
  return {
    step: { ...linear, activation: activation.kind, gated: true, outputs: [step.output] },
    absorbs: [linear, activation],
  };
};

/** linear + cacheAppend: keys and values go straight to the cache. An edit of the queries would come before the new step. */
export const cachedLinear: Rule = (step, maker) => {
  if (step.op !== 'cacheAppend') return undefined;
  const linear = maker(step.k);
  if (linear?.op !== 'linear' || linear.cache || linear.outputs.some((output) => maker(output) !== linear))
    return undefined;
  const others = linear.outputs.slice(0, -2);
  if (linear.outputs.at(-2) !== step.k || linear.outputs.at(-1) !== step.v) return undefined;
  return { step: { ...linear, outputs: others, cache: step.source }, absorbs: [linear] };
};

/** rotate of queries + rotate of keys, each behind a norm of its heads or not, + cacheAppend */
export const rotatedAppend: Rule = (step, maker, _, reader) => {
  if (step.op !== 'cacheAppend') return undefined;
  const keys = maker(step.k);
  if (keys?.op !== 'rotate') return undefined;
  const keyNorm = headNorm(maker(keys.input));
  const linear = maker(keyNorm?.input ?? keys.input);
  if (linear?.op !== 'linear' || linear.outputs.length !== 3) return undefined;
  const [q, k, v] = linear.outputs as [string, string, string];
  if (k !== (keyNorm?.input ?? keys.input) || v !== step.v) return undefined;
  const queryNorm = headNorm(reader(q));
  const queries = reader(queryNorm?.output ?? q);
  if (queries?.op !== 'rotate' || queries.table !== keys.table || !queryNorm !== !keyNorm) return undefined;
  // What reads the turned queries comes behind the new step, and so nothing edits them.
  const attention = reader(queries.output);
  const isBehind = attention !== undefined && 'source' in attention && attention.source === step.source;
  if (maker(queries.output) !== queries || !isBehind) return undefined;
  if (queryNorm && maker(queryNorm.output) !== queryNorm) return undefined;
  const { table, output } = queries;
  const norms = queryNorm && keyNorm ? { norms: { q: onlyNorm(queryNorm), k: onlyNorm(keyNorm) } } : {};
  return {
    step: { op: 'rotateAppend', q, k, v, table, source: step.source, output, ...norms },
    absorbs: [queries, keys, queryNorm, keyNorm].filter((one) => one !== undefined),
  };
};

type NormStep = Step & { op: 'norm' };

/** A norm that the kernel of `rotateAppend` has: by root mean square, with a weight alone. */
function headNorm(step: Step | undefined): NormStep | undefined {
  const isOurs = step?.op === 'norm' && step.scale === undefined && !step.centred && step.bias === undefined;
  return isOurs ? step : undefined;
}

const onlyNorm = ({ weight, epsilon, centred }: NormStep): Norm => ({ weight, epsilon, centred });

/** attentionScores + maskedSoftmax + attentionMix, by online softmax (Milakov & Gimelshein 2018; FlashAttention, Dao et al. 2022) */
export const wholeAttention: Rule = (step, maker) => {
  if (step.op !== 'attentionMix') return undefined;
  const softmax = maker(step.pattern);
  if (softmax?.op !== 'maskedSoftmax') return undefined;
  const scores = maker(softmax.input);
  if (scores?.op !== 'attentionScores') return undefined;
  return { step: { ...scores, op: 'attention', output: step.output }, absorbs: [scores, softmax] };
};

export const allRules: readonly Rule[] = [
  normWithoutScale,
  embedding,
  selectedLinear,
  normedLinear,
  sharedNormLinear,
  activatedLinear,
  residualLinear,
  gatedLinear,
  cachedLinear,
  rotatedAppend,
  wholeAttention,
];
