import type { ProgramSize } from './backend.ts';
import { type Plan, product, type Step, shapeOf, stepInputs, stepOutputs } from './plan.ts';

/** The part of a block's gradient, behind whose forward steps it stands. */
export interface Segment {
  forward: readonly Step[];
  backward: Step[];
}

/** The block that a step is of, by the names of what it makes; of steps between blocks that of those before them. */
const blockOf = (step: Step): string | undefined =>
  stepOutputs(step)
    .map((name) => /^(blocks|encoder|decoder)\.\d+\./.exec(name)?.[0])
    .find((name) => name !== undefined);

/** Steps by their blocks, in order. */
export function segmentsOf(steps: readonly Step[]): Step[][] {
  const segments: Step[][] = [];
  let last: string | undefined;
  for (const step of steps) {
    const block = blockOf(step) ?? last;
    if (segments.length === 0 || block !== last) segments.push([]);
    segments.at(-1)!.push(step);
    last = block;
  }
  return segments;
}

/**
 * A block's gradient that makes what it reads of the block again, from the residuals between blocks, so that nothing else of the forward
 * run is kept (Chen et al. 2016). `others`: forward steps of other blocks, whose inputs stay.
 */
export function recomputed({ forward, backward }: Segment, others: readonly Step[], tensors: Plan['tensors']): Step[] {
  const stays = new Set(others.flatMap(stepInputs));
  const own = new Set(forward.flatMap(stepOutputs).filter((name) => !stays.has(name)));
  const needed = new Set(backward.flatMap(stepInputs).filter((name) => own.has(name)));
  const again: Step[] = [];
  for (const step of [...forward].reverse()) {
    // What a source held is there again for the attention that reads it.
    const fills = step.op === 'cacheAppend' && again.some((one) => 'source' in one && one.source === step.source);
    // So is what an edit made of it.
    const made = step.op === 'edit' ? [step.tensor] : stepOutputs(step);
    if (!fills && !made.some((name) => needed.has(name))) continue;
    again.unshift(step);
    for (const name of stepInputs(step)) if (own.has(name)) needed.add(name);
  }
  const names = new Map<string, string>();
  for (const name of again.flatMap(stepOutputs)) {
    if (!own.has(name)) continue;
    names.set(name, `${name}, again`);
    tensors.set(`${name}, again`, { ...tensors.get(name)!, name: `${name}, again` });
  }
  return [...again, ...backward].map((step) => renamed(step, (name) => names.get(name) ?? name));
}

/** Fields of a step that name no tensor. */
const weightFields = ['weight', 'bias', 'table', 'tables'];
const otherFields = new Set([...weightFields, 'op', 'of', 'kind', 'source', 'into', 'part', 'by', 'edits']);

/** A step whose tensors go by other names. */
export function renamed<T extends object>(step: T, nameOf: (name: string) => string): T {
  const one = (value: unknown): unknown => {
    if (typeof value === 'string') return nameOf(value);
    if (Array.isArray(value)) return value.map(one);
    return typeof value === 'object' && value !== null ? renamed(value, nameOf) : value;
  };
  const entries = Object.entries(step).map(([field, value]) => [field, otherFields.has(field) ? value : one(value)]);
  return Object.fromEntries(entries) as T;
}

/** Bytes of a forward run from which on blocks are made again on the way back. */
const muchToKeep = 3e8;

/** Whether all that the forward runs of a plan make is too much to keep. */
export function isMuchToKeep({ steps, encoder = [], tensors }: Plan, size: ProgramSize): boolean {
  const { rows, logitRows, source = 0, sees = Math.max(size.context, source) } = size;
  const bytesOf = (made: readonly Step[], rows: number) =>
    made
      .flatMap(stepOutputs)
      .map((name) => shapeOf(tensors.get(name)!, { rows, logitRows, context: sees, source: sees }))
      .reduce((sum, shape) => sum + 4 * product(shape), 0);
  return bytesOf(steps, rows) + bytesOf(encoder, source) > muchToKeep;
}
