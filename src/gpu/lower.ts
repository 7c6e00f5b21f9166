import { strideOf } from '../plan/formats.ts';
import type { Plan, Step } from '../plan/plan.ts';
import type { Buffers } from './buffers.ts';
import type { GpuTensor, Kernel, Scene } from './kernel.ts';
import { activation } from './kernels/activation.ts';
import { add } from './kernels/add.ts';
import { type AttentionVariant, attention, attentionMix, attentionScores, maskedSoftmax } from './kernels/attention.ts';
import { cacheAppend } from './kernels/cache-append.ts';
import { edit } from './kernels/edit.ts';
import { embed, embedding } from './kernels/embed.ts';
import { layerNorm, layerNormScale } from './kernels/layer-norm.ts';
import { type Linear, linearRow, linearTile, type Variants } from './kernels/linear.ts';
import { selectRows } from './kernels/select-rows.ts';
import type { Weights } from './weights.ts';

/** Where a list of steps finds its buffers. */
export interface Lowering {
  plan: Plan;
  scene: Scene;
  weights: Weights;
  tensor(name: string): GpuTensor;
  /** KV cache of each layer, [2, slots, context, nHead, headDim]. */
  caches: readonly GPUBuffer[];
  /** Takes what edits bring along. */
  buffers: Buffers;
  /** Bound where a kernel's output is not used. */
  unused: GPUBuffer;
  /** Which linear kernel: for one row, or for many. */
  shape: 'row' | 'tile';
  variants: Variants;
  attention: AttentionVariant;
}

/** The dispatches of a step. */
export function lower(step: Step, to: Lowering): Kernel[] {
  const { scene, weights, tensor, caches } = to;
  switch (step.op) {
    case 'embed':
      return embed(scene, weights.matrix(step.weight), 'token', tensor(step.output));
    case 'positionEmbed':
      return embed(scene, weights.matrix(step.weight), 'position', tensor(step.output));
    case 'embedding':
      return embedding(scene, weights.matrix(step.weight), weights.matrix(step.positionWeight), tensor(step.output));
    case 'add':
      return [add(scene, tensor(step.a), tensor(step.b), tensor(step.output))];
    case 'layerNormScale':
      return [layerNormScale(scene, tensor(step.input), step.epsilon, tensor(step.output))];
    case 'layerNorm': {
      const scale = step.scale === undefined ? undefined : tensor(step.scale);
      const norm = { weight: weights.vector(step.weight), bias: weights.vector(step.bias), epsilon: step.epsilon };
      return [layerNorm(scene, tensor(step.input), scale, norm, tensor(step.output))];
    }
    case 'selectRows':
      return [selectRows(scene, tensor(step.input), tensor(step.output))];
    case 'linear':
      return lowerLinear(step, to);
    case 'cacheAppend':
      return [cacheAppend(scene, tensor(step.k), tensor(step.v), caches[step.layer]!)];
    case 'attentionScores':
      return [attentionScores(scene, tensor(step.q), caches[step.layer]!, step.scale, tensor(step.output))];
    case 'maskedSoftmax':
      return [maskedSoftmax(scene, tensor(step.input), tensor(step.output))];
    case 'attentionMix':
      return [attentionMix(scene, tensor(step.pattern), caches[step.layer]!, tensor(step.output))];
    case 'attention':
      return attention(scene, tensor(step.q), caches[step.layer]!, step.scale, tensor(step.output), {
        shape: to.shape,
        variant: to.attention,
      });
    case 'activation':
      return [activation(scene, step.kind, tensor(step.input), tensor(step.output))];
    case 'edit': {
      const spec = to.plan.tensors.get(step.tensor)!;
      return step.edits.map((one) => edit(scene, to.buffers, one, spec, tensor(step.tensor)));
    }
    default:
      return step satisfies never;
  }
}

/** With several outputs (unfused q, k, v) each is a product with its own rows of the weight. */
function lowerLinear(step: Step & { op: 'linear' }, to: Lowering): Kernel[] {
  const weight = to.weights.matrix(step.weight);
  const count = weight.spec.rows / step.outputs.length;
  return step.outputs.flatMap((output, i) => {
    const linear: Linear = {
      x: to.tensor(step.input),
      weight,
      first: i * count,
      count,
      output: to.tensor(output),
      vectors: to.weights.vectors(step.bias, i * count, count, step.norm),
      bias: step.bias !== undefined,
      norm: step.norm,
      activation: step.activation,
      residual: step.residual === undefined ? undefined : to.tensor(step.residual),
      select: step.select ?? false,
      cache: step.cache === undefined ? undefined : to.caches[step.cache],
      unused: to.unused,
    };
    const { scene, variants } = to;
    return to.shape === 'row' ? linearRow(scene, linear, variants.row) : linearTile(scene, linear, variants.tile);
  });
}

/** Floats that a tensor needs on the device: rows padded as weights are, so that both are read in whole vectors. */
export function gpuShape(plan: Plan, name: string, sizes: { rows: number; logitRows: number; context: number }) {
  const { shape } = plan.tensors.get(name)!;
  if (shape.includes('context')) {
    return { width: sizes.context, stride: sizes.context, length: plan.nHead * sizes.rows * sizes.context };
  }
  const width = shape.slice(1).reduce<number>((product, axis) => product * (axis as number), 1);
  const rows = shape[0] === 'logitRows' ? sizes.logitRows : sizes.rows;
  return { width, stride: strideOf(width), length: rows * strideOf(width) };
}
