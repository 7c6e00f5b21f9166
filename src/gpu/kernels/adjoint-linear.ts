import type { Adjoint } from '../../plan/adjoint.ts';
import { ceilDiv, flag, type Kernel, optional, rowConstants, weightFiles } from '../kernel.ts';
import type { GpuTensor, Place, TensorPart } from '../place.ts';
import { activationNumber } from './activation.ts';

type Of<Name extends Adjoint['of']> = Extract<Adjoint, { of: Name }>;

/** A grid's third axis takes what is too long for the second. */
export const folded = (x: number, count: number): [number, number, number] => {
  const y = Math.min(count, 32768);
  return [x, y, ceilDiv(count, y)];
};

/** Up to three grads that lie side by side are one dispatch, where the weight is in one part. */
export function linear({ reads, weight, output, slope }: Of<'linear'>, { batch, weights, tensor }: Place): Kernel[] {
  const [matrix, out] = [weights.matrix(weight), tensor(output)];
  const before = optional(reads.residual, tensor);
  const grads = reads.grads.map(tensor);
  const together = matrix.parts.length === 1 && grads.length <= 3 ? grads : undefined;
  const runs: { grad: GpuTensor; part: (typeof matrix.parts)[0]; from: number; until: number; first: number }[] = [];
  let first = 0;
  for (const grad of together ? grads.slice(0, 1) : grads) {
    const end = first + grad.width;
    for (const part of matrix.parts) {
      const [from, until] = [Math.max(first, part.first), Math.min(end, part.first + part.rows)];
      if (from < until) runs.push({ grad, part, from, until, first });
    }
    first = end;
  }
  const input = optional(reads.input, tensor);
  const [, second, third] = together ?? [];
  return runs.map(({ grad, part, from, until, first }, i): Kernel => {
    const [isFirst, isLast] = [i === 0, i === runs.length - 1];
    const sloped = isLast && slope ? slope : undefined;
    return {
      files: [
        ...['batch.wgsl', ...weightFiles(matrix.format), 'activate.wgsl', 'adjoint/slope.wgsl'],
        'adjoint/linear.wgsl',
      ],
      constants: {
        ROW_UNITS: matrix.stride / 16,
        GRAD_FIRST: from - first,
        GRAD_STRIDE: grad.stride,
        WEIGHT_FIRST: from - part.first,
        COUNT: until - from,
        BEFORE: flag(isFirst && before !== undefined),
        ADD: flag(!isFirst),
        ...others(second, third),
        COUNT3: third?.width ?? 0,
        SLOPE: flag(sloped),
        ACTIVATION: sloped ? activationNumber[sloped] : 0,
        ...rowConstants(out),
      },
      bindings: {
        ...{
          0: batch,
          1: part.values,
          2: part.scales,
          3: grad.buffer,
          4: before?.buffer ?? grad.buffer,
          5: out.buffer,
        },
        6: (second ?? input ?? grad).buffer,
        7: (third ?? grad).buffer,
      },
      workgroups: (sizes) => [ceilDiv(matrix.stride / 16, 64), ceilDiv(sizes[rowsOf(out)], 4)],
    };
  });
}

/** Constants of the grads beside the first. */
const others = (second: GpuTensor | undefined, third: GpuTensor | undefined) => ({
  ...{ COUNT2: second?.width ?? 0, STRIDE2: second?.stride ?? 0, STRIDE3: third?.stride ?? 0 },
});

/** The axis of a tensor whose rows are a run's. */
export const rowsOf = ({ axis }: GpuTensor) => (axis === 'logitRows' ? 'logitRows' : 'rows');

export function linearWeight({ reads, output, adds }: Of<'linearWeight'>, { batch, tensor, ...to }: Place): Kernel[] {
  const [input, out] = [tensor(reads.input), tensor(output)];
  const all = reads.grads.map(tensor);
  const groups = Array.from({ length: ceilDiv(all.length, 3) }, (_, i) => all.slice(3 * i, 3 * i + 3));
  let first = 0;
  return groups.flatMap(([grad, second, third]) => {
    const start = first;
    first += grad!.width + (second?.width ?? 0) + (third?.width ?? 0);
    return partsOf(out, to).flatMap((part): Kernel[] => {
      const from = Math.max(start, part.first);
      const OUTPUTS = Math.min(first, part.first + part.rows) - from;
      if (OUTPUTS <= 0) return [];
      return [
        {
          files: ['batch.wgsl', 'adjoint/linear-weight.wgsl'],
          constants: {
            ...{
              OUTPUTS,
              FROM: from - start,
              FIRST: from - part.first,
              COUNT: grad!.width,
              GRAD_STRIDE: grad!.stride,
              ...others(second, third),
            },
            ...{ QUADS: out.stride / 4, ADD: flag(adds), ...rowConstants(input) },
          },
          bindings: {
            ...{ 0: batch, 3: grad!.buffer, 4: input.buffer, 5: part.buffer },
            ...{ 6: (second ?? grad!).buffer, 7: (third ?? grad!).buffer },
          },
          workgroups: () => folded(ceilDiv(out.stride / 4, 64), OUTPUTS),
        },
      ];
    });
  });
}

/** The buffers of a tensor. */
export const partsOf = ({ buffer, rows }: GpuTensor, { parts }: Pick<Place, 'parts'>): readonly TensorPart[] =>
  parts?.get(buffer) ?? [{ buffer, first: 0, rows }];

export function columnSums({ reads, output, adds }: Of<'columnSums'>, { batch, tensor }: Place): Kernel[] {
  const out = tensor(output);
  let first = 0;
  return reads.grads.map(tensor).map((grad): Kernel => {
    // The bias of a norm of each head is one for all heads.
    const N = Math.min(out.width, grad.width);
    const FIRST = first;
    first += N;
    return {
      files: ['batch.wgsl', 'adjoint/column-sums.wgsl'],
      constants: {
        ...{ FIRST, N, GROUPS: grad.width / N, STRIDE: grad.stride, ADD: flag(adds) },
        ...rowConstants(grad),
      },
      bindings: { 0: batch, 3: grad.buffer, 5: out.buffer },
      workgroups: () => [ceilDiv(N, 64)],
    };
  });
}
