import type { Row, RunResult } from '../plan/backend.ts';
import { type Edit, withEdits } from '../plan/edit.ts';
import { badOption } from '../plan/error.ts';
import { lensNames, tensorNamed } from '../plan/lens-names.ts';
import { keyAxisOf, type Plan, product, shapeOf, stepOutputs, stepsOf, type TensorSpec } from '../plan/plan.ts';
import { trimmed } from '../plan/trim.ts';
import { literally } from '../text/literally.ts';
import { type Check, checkOptions, integer, isSignal, listOf, quote } from './check.ts';
import type { Engine } from './engine.ts';
import type { SourceText } from './memory.ts';
import { editsCheck } from './options.ts';
import { Session } from './session.ts';
import { namesThat, Trace, type TracedTensor, tensorsOf } from './traced.ts';

export interface TraceOptions {
  /**
   * Tensors to keep: names, globs (`*` stands for anything, dots too: `'blocks.*.attn.hook_pattern'`), or a predicate
   * on names. None by default.
   */
  capture?: readonly string[] | ((name: string) => boolean);
  edits?: readonly Edit[];
  /** Positions whose logits are wanted, negative ones from the end. All by default; they are the larger part of a long trace. */
  logits?: readonly number[];
  signal?: AbortSignal;
}

export const captures: Check = {
  expects: 'a list of tensor names and globs, or a function of a name',
  accepts: (value) => typeof value === 'function' || listOf('', (item) => typeof item === 'string').accepts(value),
};

/**
 * Runs a text once and keeps what is asked for.
 * @param source what an encoder-decoder's text is written after; what its mask drops is 0, -Infinity in scores
 * @throws VitrineError `bad-option` for a name or glob that no tensor has, `context-full`
 */
export async function trace(engine: Engine, ids: number[], options: TraceOptions = {}, source?: SourceText) {
  const logitsCheck = listOf('integers', Number.isInteger);
  checkOptions('trace', options, { capture: captures, edits: editsCheck, logits: logitsCheck, signal: isSignal });
  const { capture = [], edits = [], signal } = options;
  signal?.throwIfAborted();
  const wanted = options.logits ? positionsIn(options.logits, ids.length) : [...ids.keys()];
  const { plan } = engine;
  const names = select(plan, capture);
  const tensorOf = (name: string) => tensorNamed(plan, name);
  const edited = edits.length > 0 ? withEdits(plan, edits, ids.length, source?.length) : plan;
  if (edits.length > 0) refuseDropped(source);
  const kept = new Set(names.map(tensorOf));
  const made = trimmed(edited, new Set(wanted.length > 0 ? ['logits', ...kept] : kept), ids.length);
  const session = new Session(engine, 1, made, kept, { text: ids.length, source: source?.length });
  session.follow(source);
  const logits = { data: new Float32Array(wanted.length * plan.vocabSize), shape: [wanted.length, plan.vocabSize] };
  const encoded = new Set(plan.encoder?.flatMap(stepOutputs));
  const whole = new Map(
    [...kept].map((name) => {
      const text = encoded.has(name) ? source!.length : ids.length;
      return [name, empty(plan, name, { text, source: source?.length ?? 0 })];
    }),
  );
  try {
    await session.read(ids, {
      from: 0,
      wants: (position) => wanted.includes(position),
      onLogits: (position, { logits: row }) => {
        for (const [i, at] of wanted.entries()) if (at === position) logits.data.set(row, i * plan.vocabSize);
      },
      onRun: (result, rows) => {
        for (const [name, tensor] of whole) {
          if (result.captured.has(name)) place(tensor, plan.tensors.get(name)!, result, rows, source);
        }
      },
      signal,
    });
  } finally {
    session.dispose();
  }
  const traced = names.map((name): [string, TracedTensor] => [name, whole.get(tensorOf(name))!]);
  return new Trace(ids, logits, traced);
}

/** Positions of a text, negative ones counted from its end. */
export function positionsIn(positions: readonly number[], length: number): number[] {
  return positions.map((position) => {
    const at = position < 0 ? length + position : position;
    if (integer(0, length - 1).accepts(at)) return at;
    throw badOption(`Position ${position} is asked for; the text's are 0 to ${length - 1}.`);
  });
}

/** Positions of an edit count all of a text, and its arrays have them all. */
export function refuseDropped(source: SourceText | undefined): void {
  if (!source || source.rows.length === source.length) return;
  throw badOption('edits and a mask that drops ids were given; expected one of them.');
}

/** A tensor for a whole text; what no run writes are the keys after a position: -Infinity in scores, 0 in a pattern. */
function empty(plan: Plan, name: string, { text, source }: { text: number; source: number }): TracedTensor {
  const shape = shapeOf(plan.tensors.get(name)!, { rows: text, logitRows: text, context: text, source });
  const data = new Float32Array(product(shape));
  const steps = stepsOf(plan);
  const isScores = steps.some((step) => step.op === 'attentionScores' && step.output === name);
  return { data: isScores ? data.fill(Number.NEGATIVE_INFINITY) : data, shape };
}

/** Whole names, in which `*` stands for anything. */
export function globPattern(glob: string): RegExp {
  return new RegExp(`^${glob.split('*').map(literally).join('.*')}$`, 'u');
}

/** The names that `capture` means, in the plan's order; TransformerLens 4's where it means none of our own. */
export function select(plan: Plan, capture: NonNullable<TraceOptions['capture']>): string[] {
  const own = tensorsOf(plan).map(({ name }) => name);
  const others = [...lensNames(plan).keys()];
  const matching = (accepts: (name: string) => boolean) => namesThat(accepts, own, others);
  if (typeof capture === 'function') return matching(capture);
  const wanted = new Set(
    capture.flatMap((glob) => {
      const pattern = globPattern(glob);
      const found = matching((name) => pattern.test(name));
      if (found.length > 0) return found;
      const hint = 'model.tensors() lists every name with its shape.';
      throw badOption(`capture names ${quote(glob)}, and this model has no such tensor.`, hint);
    }),
  );
  return [...own, ...others].filter((name) => wanted.has(name));
}

/** Puts the rows of one run in their place in the whole text's tensor. */
function place(
  { data, shape }: TracedTensor,
  spec: TensorSpec,
  { captured, sizes }: RunResult,
  rows: readonly Row[],
  source: SourceText | undefined,
): void {
  const part = captured.get(spec.name)!;
  const axis = keyAxisOf(spec);
  if (!axis) {
    const inner = part.length / rows.length;
    for (const [r, { position }] of rows.entries())
      data.set(part.subarray(r * inner, (r + 1) * inner), position * inner);
    return;
  }
  // [heads, rows, keys], with fewer rows and keys than the whole has
  const [, length = 0, width = 0] = shape;
  const keys = sizes[axis];
  const isSource = axis === 'source' || rows[0]!.sees !== undefined;
  const placeOf = (key: number) => (isSource ? source!.rows[key]!.position : key);
  for (let run = 0; run < part.length / keys; run++) {
    const head = Math.floor(run / rows.length);
    const at = (head * length + rows[run % rows.length]!.position) * width;
    for (let key = 0; key < keys; key++) data[at + placeOf(key)] = part[run * keys + key]!;
  }
}
