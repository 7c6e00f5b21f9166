import { halfTable } from '../plan/half.ts';
import { floatTypes, type ValueType } from './values.ts';

type Unpack = NonNullable<ValueType['unpack']>;

const half = (bytes: Uint8Array, at: number): number => halfTable()[bytes[at]! | (bytes[at + 1]! << 8)]!;

/**
 * Q4_0, Q4_1, Q5_0, Q5_1: 32 weights d * q + m, m being -8 d or -16 d where it is not stored. Then four bytes with the fifth
 * bits, then 16 bytes with weight j in the low nibble of byte j and weight j + 16 in the high one.
 */
const simple = (bits: 4 | 5, storesMinimum: boolean): Unpack => {
  const first = storesMinimum ? 4 : 2;
  const nibbles = first + (bits === 5 ? 4 : 0);
  return (bytes, out, at) => {
    const d = half(bytes, 0);
    const m = storesMinimum ? half(bytes, 2) : -d * 2 ** (bits - 1);
    for (let i = 0; i < 32; i++) {
      const low = (bytes[nibbles + (i & 15)]! >> (i & 16 ? 4 : 0)) & 15;
      const fifth = bits === 5 ? ((bytes[first + (i >> 3)]! >> (i & 7)) & 1) << 4 : 0;
      out[at + i] = d * (low | fifth) + m;
    }
  };
};

/** Q8_0: 32 weights d * q. */
const q8: Unpack = (bytes, out, at) => {
  const d = half(bytes, 0);
  for (let i = 0; i < 32; i++) out[at + i] = d * ((bytes[2 + i]! << 24) >> 24);
};

/**
 * Q4_K, Q5_K: eight groups of 32 weights d s q - d' m. Groups 2 k and 2 k + 1 are the low and high nibbles of the same 32
 * bytes; the fifth bits of group g are bit g of 32 more. Scales s and minima m have six bits.
 */
const grouped = (bits: 4 | 5): Unpack => {
  const [scales, fifths] = [4, 16];
  const nibbles = bits === 5 ? 48 : 16;
  return (bytes, out, at) => {
    const d = half(bytes, 0);
    const dMin = half(bytes, 2);
    for (let g = 0; g < 8; g++) {
      const [s, m] = [scales + g, scales + g + 4];
      // The first four are whole; of the others the upper two bits stand above the first four's.
      const scale = g < 4 ? bytes[s]! & 63 : (bytes[m]! & 15) | ((bytes[s - 4]! >> 6) << 4);
      const min = g < 4 ? bytes[m]! & 63 : (bytes[m]! >> 4) | ((bytes[s]! >> 6) << 4);
      for (let i = 0; i < 32; i++) {
        const low = (bytes[nibbles + (g >> 1) * 32 + i]! >> (g & 1 ? 4 : 0)) & 15;
        const fifth = bits === 5 ? ((bytes[fifths + i]! >> g) & 1) << 4 : 0;
        out[at + g * 32 + i] = d * scale * (low | fifth) - dMin * min;
      }
    }
  };
};

/** Q6_K: 16 groups of 16 weights d s (q - 32), s a signed byte; q has its low four bits and its high two apart. */
const q6: Unpack = (bytes, out, at) => {
  const d = half(bytes, 208);
  for (let i = 0; i < 256; i++) {
    const [upper, quarter, lane] = [i >> 7, (i >> 5) & 3, i & 31];
    const low = (bytes[upper * 64 + (quarter & 1) * 32 + lane]! >> (quarter & 2 ? 4 : 0)) & 15;
    const high = (bytes[128 + upper * 32 + lane]! >> (2 * quarter)) & 3;
    const scale = (bytes[192 + (i >> 4)]! << 24) >> 24;
    out[at + i] = d * scale * ((low | (high << 4)) - 32);
  }
};

/** Two bits of weight i of Q2_K and Q3_K, in 64 bytes from `at` on. */
const twoBits = (bytes: Uint8Array, at: number, i: number): number =>
  (bytes[at + (i >> 7) * 32 + (i & 31)]! >> (2 * ((i >> 5) & 3))) & 3;

/** Q2_K: 16 groups of 16 weights d s q - d' m, s and m the nibbles of a byte. */
const q2: Unpack = (bytes, out, at) => {
  const d = half(bytes, 80);
  const dMin = half(bytes, 82);
  for (let i = 0; i < 256; i++) {
    const scale = bytes[i >> 4]!;
    out[at + i] = d * (scale & 15) * twoBits(bytes, 16, i) - dMin * (scale >> 4);
  }
};

/** Q3_K: 16 groups of 16 weights d (s - 32) q, q from -4 to 3: its third bit, where it is not set, takes 4 away. */
const q3: Unpack = (bytes, out, at) => {
  const d = half(bytes, 108);
  const scales = 96;
  for (let i = 0; i < 256; i++) {
    const g = i >> 4;
    const low = (bytes[scales + (g & 7)]! >> (g & 8 ? 4 : 0)) & 15;
    const high = (bytes[scales + 8 + (g & 3)]! >> (2 * (g >> 2))) & 3;
    const third = (bytes[i & 31]! >> (i >> 5)) & 1;
    out[at + i] = d * ((low | (high << 4)) - 32) * (twoBits(bytes, 32, i) - (third ? 0 : 4));
  }
};

const blocks = (block: number, bytes: number, unpack: Unpack, storedAs: ValueType['storedAs'] = 'other') =>
  ({ block, bytes, storedAs, unpack }) satisfies ValueType;

/**
 * The types that GGUF tensors are read from, by name. Layouts: ggml-common.h and ggml-quants.c of
 * https://github.com/ggml-org/ggml
 */
export const ggufTypes: ReadonlyMap<string, ValueType> = new Map<string, ValueType>([
  ...floatTypes,
  ['Q4_0', blocks(32, 18, simple(4, false), 'q4')],
  ['Q4_1', blocks(32, 20, simple(4, true))],
  ['Q5_0', blocks(32, 22, simple(5, false))],
  ['Q5_1', blocks(32, 24, simple(5, true))],
  ['Q8_0', blocks(32, 34, q8, 'q8')],
  ['Q2_K', blocks(256, 84, q2)],
  ['Q3_K', blocks(256, 110, q3)],
  ['Q4_K', blocks(256, 144, grouped(4))],
  ['Q5_K', blocks(256, 176, grouped(5))],
  ['Q6_K', blocks(256, 210, q6)],
]);

/** Names of the type numbers in a file (ggml.h), those that are not read too. */
const typeNames = (
  'F32 F16 Q4_0 Q4_1 Q4_2 Q4_3 Q5_0 Q5_1 Q8_0 Q8_1 Q2_K Q3_K Q4_K Q5_K Q6_K Q8_K IQ2_XXS IQ2_XS IQ3_XXS IQ1_S IQ4_NL ' +
  'IQ3_S IQ2_S IQ4_XS I8 I16 I32 I64 F64 IQ1_M BF16 Q4_0_4_4 Q4_0_4_8 Q4_0_8_8 TQ1_0 TQ2_0 IQ4_NL_4_4 IQ4_NL_4_8 ' +
  'IQ4_NL_8_8 MXFP4'
).split(' ');

export const typeName = (id: number): string => typeNames[id] ?? `type ${id}`;
