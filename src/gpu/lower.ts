import { strideOf } from '../plan/formats.ts';
import { keyAxisOf, type Op, type Plan, type Step, widthOf } from '../plan/plan.ts';
import type { Buffers } from './buffers.ts';
import type { GpuKeySource, GpuTensor, Kernel } from './kernel.ts';
import { activation } from './kernels/activation.ts';
import type { adjointKernels } from './kernels/adjoint.ts';
import {
  type AttentionVariant,
  attention,
  attentionMix,
  attentionScores,
  maskedSoftmax,
  type Scoring,
} from './kernels/attention.ts';
import { binary } from './kernels/binary.ts';
import { cacheAppend } from './kernels/cache-append.ts';
import { edit } from './kernels/edit.ts';
import { embed } from './kernels/embed.ts';
import { type Linear, linearRow, linearTile, type Variants } from './kernels/linear.ts';
import { norm, normScale } from './kernels/norm.ts';
import { rotate, rotateAppend } from './kernels/rotate.ts';
import { selectRows } from './kernels/select-rows.ts';
import type { StepList } from './step-lists.ts';
import type { Weights } from './weights.ts';

/** Where a list of steps finds its buffers. */
export interface Placement {
  /** The rows of the run (shaders/batch.wgsl). */
  batch: GPUBuffer;
  tensor(name: string): GPUBuffer;
  source(name: string): GpuKeySource;
  /** Takes what edits bring along. */
  buffers: Buffers;
  /** Bound where a kernel's output is not used. */
  unused: GPUBuffer;
  /** What a loss compares logits with (kernels/adjoint.ts); for a plan with a gradient. */
  labels: GPUBuffer;
}

/** What a plan is compiled for. */
export interface Target {
  weights: Weights;
  variants: Variants;
  attention: AttentionVariant;
  /** Performs the steps of a gradient; for a plan that has any. */
  adjoint?: typeof adjointKernels;
}

/** The steps of a list with their dispatches. */
export function lowerAll(plan: Plan, list: StepList, target: Target, to: Placement) {
  const tensor = (name: string): GpuTensor => ({ buffer: to.tensor(name), ...gpuShape(plan, name, list) });
  return list.steps.map((step) => ({
    step,
    kernels: (kernelsOf[step.op] as (step: Step, to: Lowering) => Kernel[])(step, {
      ...target,
      ...to,
      plan,
      tensor,
      shape: list.shape,
      joined: list.joined,
    }),
  }));
}

type Lowering = Target &
  Omit<Placement, 'tensor'> &
  Pick<StepList, 'shape' | 'joined'> & { plan: Plan; tensor(name: string): GpuTensor };

/** The dispatches of a step, by its op. */
const kernelsOf: { [K in Op]: (step: Extract<Step, { op: K }>, to: Lowering) => Kernel[] } = {
  embed: ({ tables, output }, { batch, weights, tensor }) =>
    embed(
      batch,
      tables.map((table) => ({ ...table, weight: weights.matrix(table.weight) })),
      tensor(output),
    ),
  input: () => [], // written before the run
  binary: ({ kind, a, b, output }, { batch, tensor }) => [binary(batch, kind, tensor(a), tensor(b), tensor(output))],
  normScale: (step, { batch, tensor }) => [normScale(batch, tensor(step.input), step, tensor(step.output))],
  norm(step, { plan, weights, tensor }) {
    const scale = step.scale === undefined ? undefined : tensor(step.scale);
    const { shape } = plan.tensors.get(step.input)!;
    const heads = shape.length === 3 ? (shape[1] as number) : 1;
    const bias = step.bias === undefined ? undefined : weights.vector(step.bias);
    const how = { ...step, weight: weights.vector(step.weight), bias, heads };
    return [norm(tensor(step.input), scale, how, tensor(step.output))];
  },
  selectRows: ({ input, output }, { batch, tensor }) => [selectRows(batch, tensor(input), tensor(output))],
  linear: lowerLinear,
  rotate({ input, table, output }, { batch, plan, weights, tensor }) {
    const headDim = plan.tensors.get(input)!.shape[2] as number;
    return [rotate(batch, tensor(input), weights.matrix(table), headDim, tensor(output))];
  },
  rotateAppend({ q, k, v, table, norms, output, source }, { batch, weights, tensor, ...to }) {
    const cache = to.source(source);
    const whole = { lowRank: undefined, first: 0, count: cache.headDim };
    const both = norms && { weight: norms.q.weight, bias: norms.q.weight, norm: norms.k, ...whole };
    const given = {
      ...{ q: tensor(q), k: tensor(k), v: tensor(v), output: tensor(output), cache },
      table: weights.matrix(table),
      norms: both && { q: norms.q.epsilon, k: norms.k.epsilon, weights: weights.vectors(both)! },
    };
    return [rotateAppend(batch, given)];
  },
  cacheAppend: ({ k, v, source }, to) => [cacheAppend(to.batch, to.tensor(k), to.tensor(v), to.source(source))],
  attentionScores: (step, to) => [attentionScores(to.batch, ...keysOf(step, to), to.tensor(step.output))],
  maskedSoftmax({ input, output, source, window = 0 }, { batch, plan, tensor, ...to }) {
    const heads = plan.tensors.get(output)!.shape[0] as number;
    return [maskedSoftmax(batch, tensor(input), to.source(source), { heads, window }, tensor(output))];
  },
  attentionMix: ({ pattern, source, output }, to) => [
    attentionMix(to.batch, to.tensor(pattern), to.source(source), to.tensor(output)),
  ],
  attention: (step, to) =>
    attention(to.batch, ...keysOf(step, to), to.tensor(step.output), { shape: to.shape, variant: to.attention }),
  activation: ({ kind, input, output }, { batch, tensor }) => [activation(batch, kind, tensor(input), tensor(output))],
  edit: ({ tensor, edits }, to) =>
    edits.map((one) => edit(to.batch, to.buffers, one, to.plan.tensors.get(tensor)!, to.tensor(tensor))),
  adjoint: (step, to) => to.adjoint!(step, to),
};

/** Queries, the keys that they meet, and what scores are made of. */
function keysOf(
  { q, source, scale, window, bias }: Extract<Step, { op: 'attention' | 'attentionScores' }>,
  { weights, ...to }: Lowering,
): [GpuTensor, GpuKeySource, Scoring] {
  return [to.tensor(q), to.source(source), { scale, window, bias: bias === undefined ? bias : weights.matrix(bias) }];
}

/** With several outputs (unfused q, k, v) each is a product with its own rows of the weight; the last one's takes the cache's too. */
function lowerLinear(step: Step & { op: 'linear' }, to: Lowering): Kernel[] {
  const { batch, variants, unused } = to;
  const weight = to.weights.matrix(step.weight);
  const source = step.cache === undefined ? undefined : to.source(step.cache);
  const joined = to.joined.get(step.outputs[0] ?? '');
  const outputs = joined ? [{ ...to.tensor(joined.first), width: joined.width }] : step.outputs.map(to.tensor);
  const pieces = outputs.map((output) => ({ output, cache: undefined as typeof source }));
  const last = pieces.at(-1);
  // Results come by fours, and halves of the cache in twos.
  if (source && last && last.output.width % 4 === 0) last.cache = source;
  const all = source && !last?.cache ? [...pieces, { output: undefined, cache: source }] : pieces;
  const given = { bias: step.bias, norm: step.norm, lowRank: step.lowRank };
  let first = 0;
  return all.flatMap(({ output, cache }) => {
    const count = (step.gated ? 2 : 1) * (output?.width ?? 0) + (cache ? 2 * cache.nHead * cache.headDim : 0);
    const linear: Linear = {
      x: to.tensor(step.input),
      weight,
      first,
      count,
      output,
      vectors: to.weights.vectors({ weight: step.weight, ...given, first, count }),
      bias: step.bias !== undefined,
      lowRank: step.lowRank && to.tensor(step.lowRank.input),
      norm: step.norm,
      normed: step.normed === undefined ? undefined : to.tensor(step.normed),
      activation: step.activation,
      gated: step.gated ?? false,
      gate: step.gate === undefined ? undefined : to.tensor(step.gate),
      residual: step.residual === undefined ? undefined : to.tensor(step.residual),
      select: step.select ?? false,
      cache,
      unused,
    };
    first += count;
    return to.shape === 'row' ? linearRow(batch, linear, variants.row) : linearTile(batch, linear, variants.tile);
  });
}

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
