import { type Step, stepInputs, stepOutputs } from './plan.ts';

/** Which buffer each tensor of a step list lives in, and how many elements each buffer must hold. */
export interface BufferAssignment {
  bufferOf: Map<string, number>;
  sizes: number[];
}

/**
 * Lets tensors share buffers when their lives do not overlap: a buffer is free again after the last step that reads
 * it. Tensors in `keep` hold theirs to the end. First fit by exact size first, which suits a stack of equal blocks.
 * Only tensors of one `pool` share: masked scores hold infinities, which must not turn up in another tensor's padding.
 * Those that are the `same` are one, by the name that it gives.
 */
export function assignBuffers(
  steps: readonly Step[],
  elements: (tensor: string) => number,
  keep: ReadonlySet<string>,
  pool: (tensor: string) => string = () => '',
  same: (tensor: string) => string = (tensor) => tensor,
): BufferAssignment {
  const outputsOf = (step: Step) => stepOutputs(step).map(same);
  const namesOf = (step: Step) => [...stepInputs(step).map(same), ...outputsOf(step)];
  const lastUse = new Map<string, number>();
  steps.forEach((step, index) => {
    for (const name of namesOf(step)) lastUse.set(name, index);
  });
  const bufferOf = new Map<string, number>();
  const sizes: number[] = [];
  const poolOf: string[] = [];
  let free: number[] = [];

  steps.forEach((step, index) => {
    for (const name of outputsOf(step)) {
      if (bufferOf.has(name)) continue;
      const size = elements(name);
      const fitting = free.filter((b) => poolOf[b] === pool(name) && sizes[b]! >= size);
      const buffer = fitting.find((b) => sizes[b] === size) ?? fitting[0] ?? sizes.push(size) - 1;
      poolOf[buffer] = pool(name);
      free = free.filter((b) => b !== buffer);
      bufferOf.set(name, buffer);
    }
    for (const name of new Set(namesOf(step))) {
      if (lastUse.get(name) === index && !keep.has(name)) free.push(bufferOf.get(name)!);
    }
  });
  return { bufferOf, sizes };
}
