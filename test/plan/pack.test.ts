import { describe, expect, test } from 'vitest';
import type { WeightFormat } from '../../src/plan/backend.ts';
import { packRows, strideOf, unpackRow } from '../../src/plan/formats.ts';
import { openPacker } from '../../src/plan/pack.ts';

/** Numbers at a tie and a step of float32 beside it. */
const nearTie = (i: number) => (i - 16.5) * (1 + ((i % 3) - 1) * 2 ** -23);

/** Rows that rounding treats in every way: of many scales, with halves of steps, zeros of both signs, and what no half can hold. */
function awkwardRows(rows: number, columns: number): Float32Array {
  let state = columns;
  const random = () => ((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32) * 2 - 1;
  return Float32Array.from({ length: rows * columns }, (_, i) => {
    const block = Math.floor(i / 32);
    if (block % 7 === 2) return i % 32 === 0 ? 127 * 0.25 * 1.25 : nearTie(i % 32) * 0.25 * 1.25;
    if (block % 7 === 3) return i % 2 ? 0 : -0;
    if (block % 7 === 4) return (i % 32) - 16 === 0 ? -127 : ((i % 32) - 16) / 2; // ties
    if (block % 7 === 5) return random() * 2 ** -20; // subnormal halves
    if (block % 7 === 6) return i % 32 === 5 ? 70000 : 65519.99 * random(); // past the largest half
    return random() ** 3 * 10 ** ((block % 5) - 3);
  });
}

/** The first byte in which two packed arrays differ. */
function firstOdd(a: ArrayBufferView | undefined, b: ArrayBufferView | undefined): number {
  const [ours, theirs] = [a, b].map((view) => view && new Uint8Array(view.buffer, view.byteOffset, view.byteLength));
  if (ours?.length !== theirs?.length) return 0;
  return ours?.findIndex((byte, i) => byte !== theirs![i]) ?? -1;
}

describe('rows packed in WebAssembly', () => {
  test.each(['f16', 'bf16', 'q8', 'q4', 'f32'] as const)(
    'are those of the reference, bit for bit: %s',
    async (format) => {
      const pack = await openPacker();
      expect(pack).not.toBe(packRows);
      for (const [rows, columns] of [
        [3, 64],
        [5, 96],
        [2, 33],
        [1, 1],
        [40, 768],
        [700, 1000],
      ] as const) {
        const weights = awkwardRows(rows, columns);
        const [expected, found] = [packRows(format, weights, columns), pack(format, weights, columns)];
        expect(firstOdd(found.values, expected.values)).toBe(-1);
        expect(firstOdd(found.scales, expected.scales)).toBe(-1);
      }
    },
  );
});

describe('blocks as a file has them', () => {
  /** Blocks of any bytes whose scale is a number; all values that there are, -128 too. */
  function blocks(format: WeightFormat, count: number): Uint8Array {
    const size = format === 'q8' ? 34 : 18;
    const bytes = Uint8Array.from({ length: count * size }, (_, i) => (i * 89 + (i >> 3) * 7) & 255);
    for (let b = 0; b < count; b++) bytes[b * size + 1] = (b & 1 ? 0x80 : 0) | 0x2c;
    return bytes;
  }

  test.each(['q8', 'q4'] as const)('stay the same numbers, and rows are padded with zeros: %s', (format) => {
    for (const columns of [32, 64, 96]) {
      const rows = 3;
      const stored = blocks(format, (rows * columns) / 32);
      const packed = packRows(format, stored, columns);
      const out = new Float32Array(strideOf(columns));
      for (let row = 0; row < rows; row++) {
        unpackRow(format, packed, row, out);
        const size = format === 'q8' ? 34 : 18;
        const expected = Array.from({ length: out.length }, (_, i) => {
          if (i >= columns) return 0;
          const at = ((row * columns) / 32 + (i >> 5)) * size;
          const scale = (stored[at + 1]! & 0x80 ? -1 : 1) * 2 ** (11 - 15) * (1 + stored[at]! / 1024);
          if (format === 'q8') return scale * ((stored[at + 2 + (i & 31)]! << 24) >> 24);
          const byte = stored[at + 2 + (i & 15)]!;
          return scale * ((i & 16 ? byte >> 4 : byte & 15) - 8);
        });
        expect(out.every((value, i) => value === expected[i])).toBe(true);
      }
    }
  });
});
