import { half4 } from './simd';
import { headStride, keysAt, Kv, KV_BLOCK, Step } from './step';

/** Keys and values as a source keeps them (plan/kv.ts). */

const MOST_HALF: f32 = 65504;

/** Writes a head's key or value to its place. */
export function keep(s: Step, keys: usize, head: i32, place: i32, from: usize): void {
  const to = keysAt(keys, s, head, place);
  const bytes = (<usize>s.headDim) << 2;
  if (s.kv == Kv.f32) return memory.copy(to, from, bytes);
  if (s.kv == Kv.f16) {
    for (let i: usize = 0; i < bytes; i += 4) store<u16>(to + (i >> 1), asHalf(load<f32>(from + i)));
    return;
  }
  let scales = to + s.headDim;
  for (let start = 0; start < s.headDim; start += KV_BLOCK, scales += 4) {
    const end = min(start + KV_BLOCK, s.headDim);
    let most: f32 = 0;
    for (let i = start; i < end; i++) most = max(most, abs(load<f32>(from + (i << 2))));
    const scale = most / 127;
    store<f32>(scales, scale);
    for (let i = start; i < end; i++) {
      store<i8>(to + i, scale > 0 ? <i8>(<i32>nearest(load<f32>(from + (i << 2)) / scale)) : 0);
    }
  }
}

/** The nearest half, ties to even; what is too large for one becomes the largest. */
function asHalf(value: f32): u16 {
  const bits = reinterpret<u32>(max(-MOST_HALF, min(MOST_HALF, value)));
  const sign = (bits >> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude < 0x38800000) {
    return <u16>(sign | (reinterpret<u32>(reinterpret<f32>(magnitude) + 0.5) - 0x3f000000));
  }
  return <u16>(sign | ((magnitude + 0x0fff + ((magnitude >> 13) & 1) - 0x38000000) >> 13));
}

/** Keys or values of a head from an address on as floats, headStride apart: where they are, or unpacked to `to`. */
export function asFloats(s: Step, keys: usize, count: i32, to: usize): usize {
  if (s.kv == Kv.f32) return keys;
  const bytes = headStride(s.headDim) << 2;
  let at = to;
  for (const end = to + count * bytes; at < end; at += bytes, keys += s.keyBytes) {
    if (s.kv == Kv.f16) {
      for (let i: usize = 0; i < bytes; i += 16) v128.store(at + i, half4(v128.load_ext<i16>(keys + (i >> 1))));
      continue;
    }
    let scales = keys + s.headDim;
    for (let start: usize = 0; start < bytes; start += KV_BLOCK * 4, scales += 4) {
      const factor = v128.load_splat<f32>(scales);
      const last = min(start + KV_BLOCK * 4, bytes);
      for (let i = start; i < last; i += 16) {
        const four = i32x4.extend_low_i16x8_s(i16x8.extend_low_i8x16_s(v128.load_zero<u32>(keys + (i >> 2))));
        v128.store(at + i, f32x4.mul(f32x4.convert_i32x4_s(four), factor));
      }
    }
  }
  return to;
}
