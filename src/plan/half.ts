const f32 = new Float32Array(1);
const u32 = new Uint32Array(f32.buffer);
let table: Float32Array | undefined;

/** Float32 value of each of the 65,536 IEEE half-precision bit patterns; made once (Node 20 has no Float16Array). */
export function halfTable(): Float32Array {
  if (table) return table;
  table = new Float32Array(65536);
  for (let bits = 0; bits < 65536; bits++) {
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    if (exponent === 0) table[bits] = sign * fraction * 2 ** -24;
    else if (exponent === 31) table[bits] = fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
    else table[bits] = sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  }
  return table;
}

/** Bits of the half nearest to `value`, ties to even, as the hardware conversions round; overflow gives infinity. */
export function halfFromFloat(value: number): number {
  f32[0] = value;
  const bits = u32[0]!;
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude >= 0x47800000) return magnitude > 0x7f800000 ? sign | 0x7e00 : sign | 0x7c00;
  if (magnitude < 0x38800000) {
    // Below 2^-14 a half is subnormal: a multiple of 2^-24, rounded to even by the float32 addition of 0.5's exponent.
    f32[0] = Math.abs(value);
    f32[0] = f32[0]! + 0.5;
    return sign | (u32[0]! - 0x3f000000);
  }
  // Rounds the thirteen dropped bits to nearest even; a carry runs into the exponent as it should.
  const rounded = magnitude + 0x0fff + ((magnitude >>> 13) & 1);
  return sign | ((rounded - 0x38000000) >>> 13);
}

/** Bits of the bfloat16 nearest to each value, float32's upper half, ties to even. */
export function brainsFromFloats(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const brains = new Uint16Array(values.length);
  for (let i = 0; i < brains.length; i++) brains[i] = (bits[i]! + 0x7fff + ((bits[i]! >>> 16) & 1)) >>> 16;
  return brains;
}

/** `halfFromFloat` of each value. A plain loop: `Uint16Array.from` with a function takes fifty times as long. */
export function halvesFromFloats(values: Float32Array): Uint16Array {
  const halves = new Uint16Array(values.length);
  for (let i = 0; i < halves.length; i++) halves[i] = halfFromFloat(values[i]!);
  return halves;
}
