import type { Row } from '../plan/backend.ts';
import type { CpuWeight } from './weights.ts';

/** output [rows, nHead, headDim] = x, the first pairs of each head turned by the angles of the row's position */
export function rotate(
  x: Float32Array,
  { spec, stride, packed }: CpuWeight,
  rows: readonly Row[],
  headDim: number,
  output: Float32Array,
): void {
  const pairs = spec.columns / 2;
  const table = packed.values as Float32Array;
  const width = output.length / rows.length;
  output.set(x.subarray(0, output.length));
  rows.forEach(({ position }, r) => {
    for (let head = r * width; head < (r + 1) * width; head += headDim) {
      for (let i = 0; i < pairs; i++) {
        const [cos, sin] = [table[position * stride + i]!, table[position * stride + pairs + i]!];
        const [a, b] = [x[head + i]!, x[head + pairs + i]!];
        output[head + i] = a * cos - b * sin;
        output[head + pairs + i] = b * cos + a * sin;
      }
    }
  });
}
