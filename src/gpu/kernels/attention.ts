import source from '../../../shaders/attention.wgsl?raw';
import mixSource from '../../../shaders/attention-mix.wgsl?raw';
import scoresSource from '../../../shaders/attention-scores.wgsl?raw';
import softmaxSource from '../../../shaders/masked-softmax.wgsl?raw';
import { ceilDiv, type GpuTensor, type Kernel, type Scene } from '../kernel.ts';
import { batchFile } from './files.ts';

/** Scores, mask, softmax and mix in one dispatch. */
export function attention(scene: Scene, q: GpuTensor, cache: GPUBuffer, scale: number, output: GpuTensor): Kernel {
  return {
    files: [batchFile, { name: 'attention.wgsl', source }],
    constants: {
      ...headSizes(scene),
      Q_STRIDE: q.stride,
      OUT_STRIDE: output.stride,
      SLOTS: scene.slots,
      SCALE: scale,
    },
    bindings: { 0: scene.batch, 3: q.buffer, 4: cache, 5: output.buffer },
    workgroups: ({ rows }) => [rows, scene.nHead],
  };
}

export function attentionScores(
  scene: Scene,
  q: GpuTensor,
  cache: GPUBuffer,
  scale: number,
  output: GpuTensor,
): Kernel {
  return {
    files: [batchFile, { name: 'attention-scores.wgsl', source: scoresSource }],
    constants: { ...headSizes(scene), Q_STRIDE: q.stride, ROWS: scene.rows, SCALE: scale },
    bindings: { 0: scene.batch, 3: q.buffer, 4: cache, 5: output.buffer },
    workgroups: ({ rows, keys }) => [ceilDiv(keys, 64), rows, scene.nHead],
  };
}

export function maskedSoftmax(scene: Scene, scores: GpuTensor, pattern: GpuTensor): Kernel {
  return {
    files: [batchFile, { name: 'masked-softmax.wgsl', source: softmaxSource }],
    constants: { CONTEXT: scene.context, ROWS: scene.rows },
    bindings: { 0: scene.batch, 3: scores.buffer, 4: pattern.buffer },
    workgroups: ({ rows }) => [ceilDiv(rows, 64), scene.nHead],
  };
}

export function attentionMix(scene: Scene, pattern: GpuTensor, cache: GPUBuffer, output: GpuTensor): Kernel {
  return {
    files: [batchFile, { name: 'attention-mix.wgsl', source: mixSource }],
    constants: { ...headSizes(scene), OUT_STRIDE: output.stride, SLOTS: scene.slots, ROWS: scene.rows },
    bindings: { 0: scene.batch, 3: pattern.buffer, 4: cache, 5: output.buffer },
    workgroups: ({ rows }) => [ceilDiv(scene.nHead * scene.headDim, 64), rows],
  };
}

const headSizes = ({ nHead, headDim, context }: Scene) => ({
  N: nHead * headDim,
  HEAD_DIM: headDim,
  CONTEXT: context,
});
