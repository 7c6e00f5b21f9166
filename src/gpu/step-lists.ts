import type { ProgramSize } from '../plan/backend.ts';
import { allRules, fuse, normedLinear, type Rule } from '../plan/fuse.ts';
import type { AxisSizes, KeySource, Plan, Step } from '../plan/plan.ts';
import type { CacheFormat } from './kernel.ts';

/** Steps as the kernels do them, for runs of these sizes at most. */
export interface StepList {
  steps: Step[];
  sizes: AxisSizes;
  /** Which linear kernel: for one row, or for many. */
  shape: 'row' | 'tile';
  part: 'one' | 'many' | 'encoder';
}

/** The lists of a program: for one row (decoding), for many (prefill), and the encoder's, where there is one. */
export function stepListsOf(plan: Plan, size: ProgramSize, capture: ReadonlySet<string> = new Set()): StepList[] {
  const list = (part: StepList['part'], steps: readonly Step[], rows: number): StepList => {
    const shape = part === 'one' ? 'row' : 'tile';
    const isCached = steps.some((step) => 'source' in step && plan.sources.get(step.source)!.axis === 'context');
    const sizes = {
      rows,
      logitRows: Math.min(rows, size.logitRows),
      context: isCached ? size.context : rows,
      source: size.source ?? 0,
    };
    return { part, shape, sizes, steps: inputsFirst(fuse(steps, rules[shape], capture)) };
  };
  return [
    list('one', plan.steps, 1),
    ...(size.rows > 1 ? [list('many', plan.steps, size.rows)] : []),
    ...(plan.encoder ? [list('encoder', plan.encoder, size.source!)] : []),
  ];
}

/** The batch's own numbers are written before the run, so nothing may use their memory until then. */
const inputsFirst = (steps: Step[]) => [
  ...steps.filter(({ op }) => op === 'input'),
  ...steps.filter(({ op }) => op !== 'input'),
];

/**
 * A norm inside a tile is computed for every column of tiles, so it is fused only where its result is read again, behind the attention
 * of post-norm blocks: on the software GPU measured it costs about what the saved dispatch does. A gate and a residual would be one buffer more than can be bound, and so
 * would be a gate or residual, an adapter and what a norm made.
 */
const rulesFor = (shape: StepList['shape']): Rule[] =>
  allRules
    .filter((rule) => rule !== normedLinear || shape === 'row')
    .map((rule) => (step, maker, shared) => {
      const fused = rule(step, maker, shared);
      if (fused?.step.op !== 'linear') return fused;
      const { gate, residual, normed, lowRank } = fused.step;
      return (gate && residual) || ((gate || residual) && normed && lowRank) ? undefined : fused;
    });
const rules = { row: rulesFor('row'), tile: rulesFor('tile') };

/** Bytes of a source's keys and values in a program of this size. */
export function sourceBytes(source: KeySource, size: ProgramSize, kv: CacheFormat): number {
  const places = {
    context: size.slots * size.context,
    source: size.source ?? 0,
    rows: Math.max(size.rows, size.source ?? 0),
  };
  return 2 * places[source.axis] * placeBytes(source, kv);
}

/** Bytes of a place's keys, or values, of all heads. */
export const placeBytes = ({ nHead, headDim }: KeySource, kv: CacheFormat): number =>
  nHead * headDim * (kv === 'f16' ? 2 : 4);
