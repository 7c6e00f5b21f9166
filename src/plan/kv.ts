import { halfFromFloat, halfTable } from './half.ts';
import type { Plan } from './plan.ts';

/**
 * How keys and values are kept: as they are, as halves, or in eight bits: eight values of a head, or what is left of it, are whole
 * numbers from -127 to 127 times a float32. The last two need heads whose width is a multiple of 4.
 */
export type KvFormat = 'f32' | 'f16' | 'q8';

/** Values that share a scale in q8. */
export const KV_BLOCK = 8;
const MOST_HALF = 65504;

/** Bytes of a head's key, or value. */
export function keyBytes(kv: KvFormat, headDim: number): number {
  if (kv === 'q8') return headDim + 4 * Math.ceil(headDim / KV_BLOCK);
  return headDim * (kv === 'f16' ? 2 : 4);
}

/** Bytes of a token's keys and values, in all layers that keep them from run to run. */
export function tokenBytes({ sources }: Plan, kv: KvFormat): number {
  return [...sources.values()].reduce(
    (sum, { axis, nHead, headDim }) => sum + (axis === 'rows' ? 0 : 2 * nHead * keyBytes(kv, headDim)),
    0,
  );
}

/** Keys or values [..., headDim] as they are read again. */
export function asKept(kv: KvFormat, values: Float32Array, headDim: number): Float32Array {
  if (kv === 'f32') return values;
  if (kv === 'f16') {
    const half = halfTable();
    return values.map((value) => half[halfFromFloat(Math.max(-MOST_HALF, Math.min(MOST_HALF, value)))]!);
  }
  const kept = new Float32Array(values.length);
  for (let head = 0; head < values.length; head += headDim) {
    for (let start = head; start < head + headDim; start += KV_BLOCK) {
      const end = Math.min(start + KV_BLOCK, head + headDim);
      let most = 0;
      for (let i = start; i < end; i++) most = Math.max(most, Math.abs(values[i]!));
      const scale = Math.fround(most / 127); // so that the largest is kept exactly
      for (let i = start; scale > 0 && i < end; i++) kept[i] = nearestEven(values[i]! / scale) * scale;
    }
  }
  return kept;
}

/** As kernels round: to whole numbers, ties to even. */
function nearestEven(value: number): number {
  const rounded = Math.round(value);
  return Math.abs(value % 1) === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}
