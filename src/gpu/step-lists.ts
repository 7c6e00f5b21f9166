import type { ProgramSize } from '../plan/backend.ts';
import { allRules, cachedLinear, fuse, normedLinear, type Rule, rotatedAppend } from '../plan/fuse.ts';
import { type KvFormat, keyBytes } from '../plan/kv.ts';
import { type AxisSizes, type KeySource, learns, type Plan, type Step, stepInputs, widthOf } from '../plan/plan.ts';
import { placesIn } from '../plan/rows.ts';
import type { Weights } from './weights.ts';

/** What steps are fused for. */
interface Fusing {
  weights: Pick<Weights, 'matrix'>;
  kv: KvFormat;
  /** By which rules, where these are a gradient's. */
  rules?: readonly Rule[] | undefined;
}

/** Steps as the kernels do them, for runs of these sizes at most. */
export interface StepList {
  steps: Step[];
  sizes: AxisSizes;
  /** Which linear kernel: for one row, or for many. */
  shape: 'row' | 'tile';
  part: 'one' | 'many' | 'encoder' | 'encoderBackward';
  /** Tensors that lie side by side in the buffer of the first of them, so that one product makes them all. */
  joined: ReadonlyMap<string, Joined>;
}

export interface Joined {
  first: string;
  /** Of a row of this tensor, and of all of them. */
  offset: number;
  width: number;
}

/**
 * The lists of a program: for one row (decoding), for many (prefill), and the encoder's, where there is one. With a gradient they are
 * those of a run forward and back, in their order, fused as far as it reads nothing between the steps.
 */
export function stepListsOf(plan: Plan, size: ProgramSize, on: Fusing, capture: ReadonlySet<string> = new Set()) {
  const list = (part: StepList['part'], steps: readonly Step[], rows: number): StepList => {
    const shape = part === 'one' ? 'row' : 'tile';
    const isCached = steps.some((step) => 'source' in step && plan.sources.get(step.source)!.axis === 'context');
    const sizes = {
      rows,
      logitRows: Math.min(rows, size.logitRows),
      context: size.sees ?? (isCached ? size.context : rows),
      source: size.sees ?? size.source ?? 0,
    };
    const keep = learns(plan) ? new Set([...capture, ...readElsewhere(plan, steps)]) : capture;
    const fused = inputsFirst(fuse(steps, rulesFor(shape, on), keep));
    return { part, shape, sizes, steps: fused, joined: joinedIn(fused, plan, capture) };
  };
  if (learns(plan)) {
    return [
      ...(plan.encoder ? [list('encoder', plan.encoder, size.source!)] : []),
      list('many', plan.steps, size.rows),
      ...(plan.encoderBackward ? [list('encoderBackward', plan.encoderBackward, size.source!)] : []),
    ];
  }
  return [
    list('one', plan.steps, 1),
    ...(size.rows > 1 ? [list('many', plan.steps, size.rows)] : []),
    ...(plan.encoder ? [list('encoder', plan.encoder, size.source!)] : []),
  ];
}

/** What the other lists of a gradient read. */
const readElsewhere = ({ steps, encoder = [], encoderBackward = [] }: Plan, own: readonly Step[]): string[] =>
  [steps, encoder, encoderBackward].filter((list) => list !== own).flatMap((list) => list.flatMap(stepInputs));

/** The batch's own numbers are written before the run, so nothing may use their memory until then. */
const inputsFirst = (steps: Step[]) => [
  ...steps.filter(({ op }) => op === 'input'),
  ...steps.filter(({ op }) => op !== 'input'),
];

/**
 * A norm inside a tile is computed for every column of tiles, so it is fused only where its result is read again, behind the attention
 * of post-norm blocks: on the software GPU measured it costs about what the saved dispatch does. A gate and a residual would be one buffer more than can be bound, and so
 * would be a gate or residual, an adapter and what a norm made; both halves of a gated layer's weight must be in one. What makes
 * single values of a key cannot know the largest of eight, so in q8 they are appended by themselves.
 */
const rulesFor = (shape: StepList['shape'], { weights, kv, rules = allRules }: Fusing): Rule[] =>
  rules
    .filter((rule) => rule !== normedLinear || shape === 'row')
    .filter((rule) => (rule !== cachedLinear && rule !== rotatedAppend) || kv !== 'q8')
    .map((rule) => (...given) => {
      const fused = rule(...given);
      if (fused?.step.op !== 'linear') return fused;
      const { gate, residual, normed, lowRank, gated, weight } = fused.step;
      const isTooMuch = (gate && residual) || ((gate || residual) && normed && lowRank);
      return isTooMuch || (gated && weights.matrix(weight).parts.length > 1) ? undefined : fused;
    });

/** Queries, keys and values that one layer makes for the one step that reads them. */
function joinedIn(steps: readonly Step[], plan: Plan, capture: ReadonlySet<string>): Map<string, Joined> {
  const readers = (name: string) => steps.filter((step) => stepInputs(step).includes(name)).length;
  const joined = new Map<string, Joined>();
  for (const step of steps) {
    if (step.op !== 'rotateAppend') continue;
    const names = [step.q, step.k, step.v];
    const isOurs = (other: Step) => other.op === 'linear' && other.outputs.join() === names.join();
    if (!steps.some(isOurs) || names.some((name) => capture.has(name) || readers(name) > 1)) continue;
    const widths = names.map((name) => widthOf(plan.tensors.get(name)!));
    const width = widths.reduce((a, b) => a + b);
    names.forEach((name, i) => {
      const offset = widths.slice(0, i).reduce((a, b) => a + b, 0);
      joined.set(name, { first: step.q, offset, width });
    });
  }
  return joined;
}

/** Bytes of a source's keys and values in a program of this size. */
export const sourceBytes = (source: KeySource, size: ProgramSize, kv: KvFormat): number =>
  2 * placesIn(source, size) * placeBytes(source, kv);

/** Bytes of a place's keys, or values, of all heads. */
export const placeBytes = ({ nHead, headDim }: KeySource, kv: KvFormat): number => nHead * keyBytes(kv, headDim);
