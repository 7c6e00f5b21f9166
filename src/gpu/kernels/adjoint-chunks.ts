import { strideOf } from '../../plan/formats.ts';
import { type Plan, type Step, stepInputs, stepOutputs, widthOf } from '../../plan/plan.ts';
import type { Kernel, RunSizes } from '../kernel.ts';
import type { GpuTensor } from '../place.ts';

/** More bytes of logits at once would make no step faster. */
const enough = 2 ** 26;

/**
 * Steps [first, end) of a list that are done for some of the logit rows at a time: the logits of a vocabulary and their gradient are there
 * for a chunk alone, in one memory, and need not fit a binding.
 */
export interface Chunks {
  first: number;
  end: number;
  /** Rows of a chunk, and how many chunks there are at most. */
  rows: number;
  count: number;
  /** Tensors that have the rows of a chunk. */
  names: ReadonlySet<string>;
}

/** Where a loss finds the labels of its rows: of all, or of those of a chunk, which a batch of its own counts. */
export interface LossRows {
  first: number;
  rows: number;
  labels: GPUBuffer;
  batch?: GPUBuffer;
}

/** @param mostBytes that can be bound */
export function chunksOf(
  plan: Plan,
  { steps, sizes }: { steps: readonly Step[]; sizes: Pick<RunSizes, 'logitRows'> },
  capture: ReadonlySet<string>,
  mostBytes: number,
): Chunks | undefined {
  const loss = steps.find((step) => step.op === 'adjoint' && step.of === 'crossEntropy');
  if (!loss) return undefined;
  const names = new Set(['logits', stepOutputs(loss)[0]!]);
  const bytes = 4 * strideOf(widthOf(plan.tensors.get('logits')!));
  // Parts of buffers that are bound begin at multiples of 256 bytes, which so many rows of anything are.
  const rows = Math.max(64, Math.floor(Math.min(enough, mostBytes) / bytes / 64) * 64);
  const touches = (step: Step) => [...stepInputs(step), ...stepOutputs(step)].some((name) => names.has(name));
  const [first, end] = [steps.findIndex(touches), steps.findLastIndex(touches) + 1];
  const isWhole = rows >= sizes.logitRows || [...names].some((name) => capture.has(name));
  if (isWhole || !steps.slice(first, end).every((step) => touches(step) && isByRow(step))) return undefined;
  return { first, end, rows, count: Math.ceil(sizes.logitRows / rows), names };
}

/** Whose kernels make or sum rows one by one. */
function isByRow(step: Step): boolean {
  if (step.op === 'linear') return !step.select && step.cache === undefined;
  return step.op === 'adjoint' && ['crossEntropy', 'linear', 'linearWeight', 'columnSums'].includes(step.of);
}

type Lowered = { step: Step; kernels: Kernel[] }[];

/** The kernels of a list whose loss is taken in chunks. */
export function lowerInChunks(
  steps: readonly Step[],
  { first, end, names }: Chunks,
  { losses, tensors }: { losses: readonly LossRows[]; tensors: ReadonlyMap<string, GpuTensor> },
  lower: (steps: readonly Step[], on?: LossRows) => Lowered,
): Lowered {
  const own = steps.slice(first, end);
  const used = new Set(own.flatMap((step) => [...stepInputs(step), ...stepOutputs(step)]));
  const whole = [...used].map((name) => tensors.get(name)!).filter(({ axis }) => axis === 'logitRows');
  const places = new Map(whole.map(({ buffer, stride }) => [buffer, 4 * stride]));
  for (const name of names) places.delete(tensors.get(name)!.buffer);
  const inChunks = losses.flatMap((rows) =>
    lower(
      own.map((step) => stepOfChunk(step, rows.first)),
      rows,
    ).map(({ step, kernels }) => ({ step, kernels: kernels.map((kernel) => kernelOfChunk(kernel, rows, places)) })),
  );
  return [...lower(steps.slice(0, first)), ...inChunks, ...lower(steps.slice(end))];
}

/** A step of the chunk that begins at a row: sums over rows go on from the chunk before it. */
const stepOfChunk = (step: Step, first: number): Step =>
  first > 0 && step.op === 'adjoint' && 'adds' in step ? { ...step, adds: true } : step;

/**
 * A kernel for the rows of a chunk.
 * @param strides bytes of a row, of the buffers that have all logit rows
 */
function kernelOfChunk(
  kernel: Kernel,
  { first, rows }: { first: number; rows: number },
  strides: ReadonlyMap<GPUBuffer, number>,
): Kernel {
  const windowed = Object.entries(kernel.bindings).map(([binding, bound]): [string, Kernel['bindings'][number]] => {
    const stride = bound && strides.get(bound as GPUBuffer);
    if (stride === undefined) return [binding, bound];
    const [buffer, offset] = [bound as GPUBuffer, first * stride];
    return [binding, { buffer, offset, size: Math.min(rows * stride, buffer.size - offset) }];
  });
  return {
    ...kernel,
    bindings: Object.fromEntries(windowed) as Kernel['bindings'],
    workgroups: (sizes) => {
      const logitRows = Math.max(0, Math.min(rows, sizes.logitRows - first));
      return logitRows === 0 ? [0] : kernel.workgroups({ ...sizes, logitRows });
    },
  };
}
