import type { Adjoint } from '../../plan/adjoint.ts';
import { keyAxisOf } from '../../plan/plan.ts';
import { ceilDiv, flag, type Kernel, keyConstants, optional, rowConstants } from '../kernel.ts';
import type { GpuTensor, Place, TensorPart } from '../place.ts';
import { addShaders } from '../shader.ts';
import { activationNumber } from './activation.ts';
import { columnSums, folded, linear, linearWeight, partsOf, rowsOf } from './adjoint-linear.ts';
import { attentionMix, axisOf, keyFiles, sizesOf } from './attention.ts';
import { edit } from './edit.ts';
import { rotate } from './rotate.ts';

export { gradientRules } from '../../plan/gradient-fuse.ts';
export { chunksOf, lowerInChunks } from './adjoint-chunks.ts';

addShaders(
  import.meta.glob<string>('../../../shaders/adjoint/*.wgsl', { query: '?raw', import: 'default', eager: true }),
);

type Of<Name extends Adjoint['of']> = Extract<Adjoint, { of: Name }>;

const LANES = 64;
/** The dispatches of a gradient's step. What each computes is said in src/plan/adjoint.ts. */
export function adjointKernels(step: Adjoint, to: Place): Kernel[] {
  switch (step.of) {
    case 'linear':
      return linear(step, to);
    case 'linearWeight':
      return linearWeight(step, to);
    case 'columnSums':
      return columnSums(step, to);
    case 'norm':
    case 'normByScale':
    case 'normScale':
      return [norm(step, to)];
    case 'normWeight':
      return [normWeight(step, to)];
    case 'activation':
      return [activation(step, to)];
    case 'embed': {
      const by = { token: 0, position: 1, segment: 2 }[step.by];
      return scatter(step, { ...step, by }, to);
    }
    case 'selectRows':
      return scatter(step, { by: 3, first: 0, scale: 1, padding: undefined, adds: false }, to);
    case 'rotate':
      return [rotate({ input: step.reads.grad, table: step.weight, output: step.output }, to, -1)];
    case 'attentionMix':
    case 'attentionScores':
    case 'bias':
      return [attention(step, to)];
    case 'maskedSoftmax':
      return [maskedSoftmax(step, to)];
    case 'keys':
      return [keys(step, to)];
    case 'cacheAppend':
      return [cacheAppend(step, to)];
    case 'edit':
      return edits(step, to);
    case 'crossEntropy':
    case 'pointLoss':
      return [loss(step, to)];
    default:
      return step satisfies never;
  }
}

function norm(step: Of<'norm' | 'normByScale' | 'normScale'>, { weights, tensor }: Place): Kernel {
  const { reads, centred } = step;
  const [grad, input] = [tensor(reads.grad), tensor(reads.input)];
  const [scale, output] = [tensor(reads.scale), tensor(step.output)];
  const residual = 'residual' in reads && reads.residual !== undefined ? tensor(reads.residual).buffer : undefined;
  return {
    files: ['lanes.wgsl', 'adjoint/norm.wgsl'],
    constants: {
      OF: { norm: 0, normByScale: 1, normScale: 2 }[step.of],
      N: input.width / scale.width,
      STRIDE: input.stride,
      SCALE_STRIDE: scale.stride,
      GRAD_STRIDE: grad.stride,
      CENTRED: flag(centred),
      FIXED: flag('fixed' in step && step.fixed),
      RESIDUAL: flag(residual !== undefined),
    },
    bindings: {
      3: grad.buffer,
      4: input.buffer,
      5: scale.buffer,
      6: 'weight' in step ? weights.vector(step.weight) : scale.buffer,
      7: residual ?? grad.buffer,
      8: output.buffer,
    },
    workgroups: (sizes) => [sizes[rowsOf(input)], scale.width],
  };
}

function normWeight({ reads, centred, output, adds }: Of<'normWeight'>, { batch, tensor }: Place): Kernel {
  const [grad, input, scale, out] = [tensor(reads.grad), tensor(reads.input), tensor(reads.scale), tensor(output)];
  return {
    files: ['batch.wgsl', 'lanes.wgsl', 'adjoint/norm-weight.wgsl'],
    constants: {
      N: out.width,
      HEADS: scale.width,
      STRIDE: input.stride,
      SCALE_STRIDE: scale.stride,
      CENTRED: flag(centred),
      ADD: flag(adds),
      ...rowConstants(input),
    },
    bindings: { 0: batch, 3: grad.buffer, 4: input.buffer, 5: scale.buffer, 6: out.buffer },
    workgroups: () => [ceilDiv(out.width, LANES)],
  };
}

function activation({ reads, kind, output }: Of<'activation'>, { batch, tensor }: Place): Kernel {
  const [grad, input, out] = [tensor(reads.grad), tensor(reads.input), tensor(output)];
  return {
    files: ['batch.wgsl', 'activate.wgsl', 'adjoint/slope.wgsl', 'adjoint/activation.wgsl'],
    constants: { STRIDE: out.stride, ACTIVATION: activationNumber[kind], ...rowConstants(out) },
    bindings: { 0: batch, 3: grad.buffer, 4: input.buffer, 5: out.buffer },
    workgroups: (sizes) => [ceilDiv(out.stride, 64), sizes[rowsOf(out)]],
  };
}

/** Rows of a gradient at the rows of a table, or of a tensor, which have so many numbers. */
function scatter(
  { reads, output }: Of<'embed' | 'selectRows'>,
  how: { by: number; first: number; scale: number; padding: number | undefined; adds: boolean },
  { batch, tensor, ...to }: Place,
): Kernel[] {
  const [grad, out] = [tensor(reads.grad), tensor(output)];
  const add = ({ buffer, first, rows }: TensorPart): Kernel => ({
    files: ['batch.wgsl', 'adjoint/scatter.wgsl'],
    constants: {
      BY: how.by,
      ...{ FIRST: how.first, PART_FIRST: first, PART_ROWS: rows },
      SCALE: how.scale,
      PADDING: how.padding ?? 0xffffffff,
      N: out.width,
      STRIDE: out.stride,
      ...rowConstants(grad),
    },
    bindings: { 0: batch, 3: grad.buffer, 5: buffer },
    workgroups: () => [ceilDiv(out.width, 64)],
  });
  return partsOf(out, to).flatMap((part) =>
    how.adds ? [add(part)] : [copy(undefined, grad, { ...out, ...part }, 1), add(part)],
  );
}

/** A tensor's values into another, or 0 where there are none. */
function copy(from: GpuTensor | undefined, unused: GpuTensor, to: GpuTensor, heads: number): Kernel {
  const rows = heads * to.rows;
  return {
    files: ['adjoint/copy.wgsl'],
    constants: { STRIDE: to.stride, ROWS: rows, ZERO: flag(!from) },
    bindings: { 3: (from ?? unused).buffer, 5: to.buffer },
    workgroups: () => folded(ceilDiv(to.stride, 64), rows),
  };
}

function attention(step: Of<'attentionMix' | 'attentionScores' | 'bias'>, to: Place): Kernel {
  const [grad, output, source] = [to.tensor(step.reads.grad), to.tensor(step.output), to.source(step.source)];
  // Of keys that a row does not see the grad is 0.
  if (step.of === 'attentionScores') return attentionMix({ ...step, pattern: step.reads.grad }, to, step.scale);
  const shared = { LAST_KEYS: step.window ?? 0, ...keyConstants(source) };
  if (step.of === 'attentionMix') {
    const heads = grad.width / source.headDim;
    const pattern = optional(step.reads.pattern, to.tensor);
    return {
      files: [
        ...keyFiles(source),
        ...(pattern ? ['lanes.wgsl', 'adjoint/mixed-scores.wgsl'] : ['adjoint/attention-mix.wgsl']),
      ],
      constants: { ...shared, ...sizesOf(source, heads), GRAD_STRIDE: grad.stride },
      bindings: { 0: to.batch, 3: grad.buffer, 4: source.buffer, 5: output.buffer, 7: pattern?.buffer },
      workgroups: (sizes) => (pattern ? [sizes.rows, heads] : [ceilDiv(sizes[axisOf(source)], 64), sizes.rows, heads]),
    };
  }
  return {
    files: ['batch.wgsl', 'adjoint/bias.wgsl'],
    constants: { ...shared, COLUMNS: output.width, STRIDE: output.stride, ADD: flag(step.adds) },
    bindings: { 0: to.batch, 3: grad.buffer, 5: output.buffer },
    workgroups: () => [ceilDiv(output.width, 64), output.rows],
  };
}

function maskedSoftmax({ reads, output }: Of<'maskedSoftmax'>, { batch, plan, tensor }: Place): Kernel {
  const [grad, pattern, out] = [tensor(reads.grad), tensor(reads.pattern), tensor(output)];
  const spec = plan.tensors.get(output)!;
  return {
    files: ['batch.wgsl', 'adjoint/masked-softmax.wgsl'],
    constants: { MEMORY: flag(keyAxisOf(spec) === 'source') },
    bindings: { 0: batch, 3: grad.buffer, 4: pattern.buffer, 5: out.buffer },
    workgroups: ({ rows }) => [ceilDiv(rows, 64), spec.shape[0] as number],
  };
}

function keys(step: Of<'keys'>, { batch, tensor, source }: Place): Kernel {
  const [weights, vectors, into] = [tensor(step.reads.weights), tensor(step.reads.vectors), source(step.into)];
  const n = into.nHead * into.headDim;
  const places = Math.floor(into.buffer.size / (8 * n));
  return {
    files: ['batch.wgsl', 'attention-keys.wgsl', 'adjoint/keys.wgsl'],
    constants: {
      ...sizesOf(into, vectors.width / into.headDim),
      VALUES: flag(step.part === 'v'),
      PLACES: places,
      VECTOR_STRIDE: vectors.stride,
      SCALE: step.scale,
      LAST_KEYS: step.window ?? 0,
      ADD: flag(step.adds),
    },
    bindings: { 0: batch, 3: weights.buffer, 5: vectors.buffer, 7: into.buffer },
    workgroups: () => folded(ceilDiv(n, 64), places),
  };
}

function cacheAppend(step: Of<'cacheAppend'>, { batch, tensor, source }: Place): Kernel {
  const [kept, output] = [source(step.source), tensor(step.output)];
  return {
    files: ['batch.wgsl', 'adjoint/cache-append.wgsl'],
    constants: {
      ...{ VALUES: flag(step.part === 'v'), WIDTH: output.width, STRIDE: output.stride },
      ...keyConstants(kept),
    },
    bindings: { 0: batch, 4: kept.buffer, 5: output.buffer },
    workgroups: ({ rows }) => [ceilDiv(output.width, 64), rows],
  };
}

function edits(step: Of<'edit'>, to: Place): Kernel[] {
  const spec = to.plan.tensors.get(step.output)!;
  const [grad, output] = [to.tensor(step.reads.grad), to.tensor(step.output)];
  const heads = keyAxisOf(spec) ? (spec.shape[0] as number) : 1;
  const kept = step.edits.flatMap((one) =>
    one.kind === 'set' ? [{ ...one, values: 0 }] : one.kind === 'scale' ? [one] : [],
  );
  return [copy(grad, grad, output, heads), ...kept.map((one) => edit(one, step.output, to))];
}

function loss(step: Of<'crossEntropy' | 'pointLoss'>, { labels, tensor }: Place): Kernel {
  const [logits, output, losses] = [tensor(step.reads.logits), tensor(step.output), tensor(step.losses)];
  const constants = { N: logits.width, STRIDE: logits.stride, LOSS_STRIDE: losses.stride };
  const isInPlace = logits.buffer === output.buffer;
  const shared = {
    bindings: { 3: isInPlace ? undefined : logits.buffer, 4: labels, 5: output.buffer, 6: losses.buffer },
    workgroups: ({ logitRows }: { logitRows: number }) => [logitRows] as [number],
  };
  if (step.of === 'crossEntropy') {
    const place = isInPlace ? 'adjoint/logits-in-place.wgsl' : 'adjoint/logits.wgsl';
    return { ...shared, files: ['lanes.wgsl', place, 'adjoint/cross-entropy.wgsl'], constants };
  }
  if (step.kind === 'answers') {
    const { N: _, ...own } = constants;
    return { ...shared, files: ['lanes.wgsl', 'adjoint/answer-loss.wgsl'], constants: own };
  }
  const KIND = { dot: 0, squared: 1, logistic: 2 }[step.kind];
  return { ...shared, files: ['lanes.wgsl', 'adjoint/point-loss.wgsl'], constants: { ...constants, KIND } };
}
