import { strideOf } from '../plan/formats.ts';
import { keyAxisOf, type Op, type Plan, type Step, type StepOf, widthOf } from '../plan/plan.ts';
import type { Kernel } from './kernel.ts';
import { activation } from './kernels/activation.ts';
import { type AttentionVariant, attention, attentionMix, attentionScores, maskedSoftmax } from './kernels/attention.ts';
import { binary } from './kernels/binary.ts';
import { cacheAppend } from './kernels/cache-append.ts';
import { edit } from './kernels/edit.ts';
import { embed } from './kernels/embed.ts';
import { linear, type Variants } from './kernels/linear.ts';
import { norm, normScale } from './kernels/norm.ts';
import { rotate, rotateAppend } from './kernels/rotate.ts';
import { selectRows } from './kernels/select-rows.ts';
import type { GpuTensor, Place } from './place.ts';
import type { StepList } from './step-lists.ts';
import type { Weights } from './weights.ts';

/** Where a list of steps finds its buffers. */
export interface Placement extends Pick<Place, 'batch' | 'source' | 'buffers' | 'unused' | 'labels' | 'parts'> {
  tensor(name: string): GPUBuffer;
}

/** What differentiates; loaded where a plan does. */
export type Adjoints = typeof import('./kernels/adjoint.ts');

/** What a plan is compiled for. */
export interface Target {
  weights: Weights;
  variants: Variants;
  attention: AttentionVariant;
  /** Performs the steps of a gradient; for a plan that has any. */
  adjoint?: Adjoints;
}

/** The steps of a list with their dispatches. */
export function lowerAll(plan: Plan, { steps, ...list }: StepList, target: Target, to: Placement) {
  const tensor = (name: string): GpuTensor => ({ buffer: to.tensor(name), ...gpuShape(plan, name, list) });
  const on: Lowering = { ...target, ...to, ...list, plan, tensor };
  return steps.map((step) => ({
    step,
    kernels: [(kernelsOf[step.op] as (step: Step, to: Lowering) => Kernel | Kernel[])(step, on)].flat(),
  }));
}

type Lowering = Target & Place & Pick<StepList, 'shape' | 'joined'>;

/** The dispatches of a step, by its op. */
const kernelsOf: { [K in Op]: (step: StepOf<K>, to: Lowering) => Kernel | Kernel[] } = {
  ...{ embed, binary, normScale, norm, selectRows, linear, rotate, rotateAppend, cacheAppend, activation },
  ...{ attentionScores, maskedSoftmax, attentionMix, attention },
  input: () => [], // written before the run
  edit: ({ tensor, edits }, to) => edits.map((one) => edit(one, tensor, to)),
  adjoint: (step, to) => to.adjoint!.adjointKernels(step, to),
};

/** A tensor on the device: rows padded as weights are, so that both are read in whole vectors. */
export function gpuShape(
  plan: Plan,
  name: string,
  { sizes, joined }: Pick<StepList, 'sizes' | 'joined'>,
): Omit<GpuTensor, 'buffer'> & { length: number } {
  const spec = plan.tensors.get(name)!;
  const keys = keyAxisOf(spec);
  const [first] = spec.shape;
  if (typeof first === 'number' && !keys) {
    // The gradient of a weight; that of a vector is a row.
    const [width, rows] = spec.shape.length === 1 ? [first, 1] : [widthOf(spec), first];
    const stride = strideOf(width);
    return { width, stride, offset: 0, rows, axis: 'rows', fixed: true, length: rows * stride };
  }
  const axis = first === 'logitRows' ? 'logitRows' : 'rows';
  const rows = sizes[axis];
  if (keys) {
    const [width, heads] = [sizes[keys], spec.shape[0] as number];
    return { width, stride: width, offset: 0, rows, axis, length: heads * rows * width };
  }
  const width = widthOf(spec);
  const place = joined.get(name);
  const stride = strideOf(place?.width ?? width);
  return { width, stride, offset: place?.offset ?? 0, rows, axis, length: rows * stride };
}
