import { describe, expect, test } from 'vitest';
import { fillValues, floatTypes, transposeRows, unsound } from '../../src/load/values.ts';

/** The values of raw bytes of a type, read in one go into the middle of a larger buffer. */
async function read(dtype: string, raw: Uint16Array | Uint32Array): Promise<Uint32Array> {
  const around = new Float32Array(raw.length + 2).fill(7);
  await fillValues(around.subarray(1, -1), floatTypes.get(dtype)!, async (bytes) => {
    bytes.set(new Uint8Array(raw.buffer));
  });
  expect([around[0], around.at(-1)]).toEqual([7, 7]);
  return new Uint32Array(around.buffer, 4, raw.length);
}

/** Every pattern of 16 bits. */
const patterns = Uint16Array.from({ length: 65536 }, (_, i) => i);

/** A half's value by the definition of IEEE 754. */
function half(bits: number): number {
  const sign = bits >> 15 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return exponent === 0 ? sign * (fraction / 1024) * 2 ** -14 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

describe('every value of 16 bits', () => {
  test('F16: normal, subnormal, both zeros, infinities, NaN', async () => {
    const bits = await read('F16', patterns);
    const found = new Float32Array(bits.buffer, bits.byteOffset, bits.length);
    const wrong = patterns.findIndex((pattern) => !Object.is(found[pattern], half(pattern)));
    expect(wrong).toBe(-1);
    expect(found[1]).toBe(2 ** -24);
    expect(found[0x7bff]).toBe(65504);
  });

  test('BF16 is the upper half of F32', async () => {
    const bits = await read('BF16', patterns);
    expect(patterns.findIndex((pattern) => bits[pattern] !== (pattern << 16) >>> 0)).toBe(-1);
  });

  test('F32 stays bit for bit', async () => {
    const raw = Uint32Array.from(patterns, (pattern) => (pattern * 65537) >>> 0);
    expect((await read('F32', raw)).findIndex((value, i) => value !== raw[i])).toBe(-1);
  });
});

test.each([
  [1, 1],
  [1, 70],
  [70, 1],
  [33, 65],
  [64, 32],
])('transpose of [%i, %i], in parts', (columns, rows) => {
  const stored = Float32Array.from({ length: rows * columns }, (_, i) => i);
  for (const step of [1, 7, rows]) {
    for (let first = 0; first < rows; first += step) {
      const out = new Float32Array(Math.min(step, rows - first) * columns);
      transposeRows(stored, rows, first, out, columns);
      expect(out.findIndex((value, i) => value !== (i % columns) * rows + first + Math.floor(i / columns))).toBe(-1);
    }
  }
});

test('what is no number is found wherever it is', () => {
  for (const length of [1, 2, 7, 64])
    for (let at = 0; at < length; at++)
      for (const value of [Number.NaN, Number.NEGATIVE_INFINITY]) {
        const values = new Float32Array(length).fill(-3.4e38);
        expect(unsound(values)).toBeUndefined();
        values[at] = value;
        expect(unsound(values)).toBe(value);
      }
});
