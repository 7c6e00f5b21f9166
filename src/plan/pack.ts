import type { WeightFormat } from './backend.ts';
import { hex } from './binary-pack.ts';
import { BLOCK, type PackedRows, packRows, strideOf, valueBytesOf } from './formats.ts';
import { bytesOfHex } from './hex.ts';

/** What src/wasm/kernels/pack.ts exports. */
interface Kernels {
  memory: WebAssembly.Memory;
  f16(from: number, count: number, to: number): void;
  bf16(from: number, count: number, to: number): void;
  q8(from: number, count: number, values: number, scales: number): void;
  q4(from: number, count: number, values: number, scales: number): void;
}

const PAGE = 65536;
/** Where the weights come to lie, behind what the module keeps for itself. */
const FROM = 1024;

/** `packRows` in WebAssembly, in 0.05 to 0.5 of the time and the same bits; its results last until the next call. */
function packerOf(kernels: Kernels): typeof packRows {
  const { memory } = kernels;
  return (format, weights, columns) => {
    if (format === 'f32' || !(weights instanceof Float32Array)) return packRows(format, weights, columns);
    const stride = strideOf(columns);
    const count = (weights.length / columns) * stride;
    const to = FROM + count * 4;
    const missing = Math.ceil((to + count * 2 + count / 16 - memory.buffer.byteLength) / PAGE);
    if (missing > 0) memory.grow(missing);
    const from = new Float32Array(memory.buffer, FROM, count);
    if (stride === columns) from.set(weights);
    else {
      from.fill(0);
      for (let row = 0; row * columns < weights.length; row++)
        from.set(weights.subarray(row * columns, (row + 1) * columns), row * stride);
    }
    return pack(kernels, format, count, to);
  };
}

function pack(kernels: Kernels, format: Exclude<WeightFormat, 'f32'>, count: number, to: number): PackedRows {
  const { buffer } = kernels.memory;
  if (format === 'f16' || format === 'bf16') {
    kernels[format](FROM, count, to);
    return { values: new Uint16Array(buffer, to, count) };
  }
  const bytes = valueBytesOf(format, count);
  kernels[format](FROM, count, to, to + bytes);
  const values = format === 'q8' ? new Int8Array(buffer, to, bytes) : new Uint8Array(buffer, to, bytes);
  return { values, scales: new Uint16Array(buffer, to + bytes, count / BLOCK) };
}

let opened: Promise<typeof packRows> | undefined;

/** What packs rows fastest here: plain JavaScript where WebAssembly is not to be had. */
export function openPacker(): Promise<typeof packRows> {
  opened ??= (async () => WebAssembly.instantiate(bytesOfHex(hex)))().then(
    ({ instance }) => packerOf(instance.exports as unknown as Kernels),
    () => packRows, // forbidden by a Content-Security-Policy, or without SIMD
  );
  return opened;
}
