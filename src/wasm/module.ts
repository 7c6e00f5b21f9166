import { bytesOfHex } from '../plan/hex.ts';
import { part } from '../plan/part.ts';

/** What kernels/index.ts exports. */
export interface Kernels {
  run(steps: number, count: number, batch: number, scratch: number, scratchBytes: number): void;
  lead(threads: number, mayWait: boolean, i8Products: number): void;
  panels(at: number, groups: number, stride: number, format: number, free: number): void;
  scalePanels(at: number, groups: number, blocks: number, free: number): void;
  blocksQ8(from: number, rows: number, inRow: number, padded: number, values: number, scales: number): void;
  blocksQ4(from: number, rows: number, inRow: number, padded: number, values: number, scales: number): void;
  runsSoFar(): number;
}

/** Chosen at run time, for what this engine can do. */
export interface Build {
  /** Relaxed SIMD: fused multiply-add. */
  relaxed: boolean;
  /** Over memory that threads share. */
  shared: boolean;
}

/** A function of one relaxed instruction, i8x16.relaxed_swizzle: the two builds are files of their own, and one is fetched. */
const swizzle = [
  ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0],
  ...[10, 15, 1, 13, 0, 65, 0, 253, 15, 65, 0, 253, 15, 253, 128, 2, 11],
];
let relaxedIsThere: boolean | undefined;

/** Whether this engine has relaxed SIMD. */
export function relaxedSupported(): boolean {
  if (typeof WebAssembly === 'undefined') return false;
  relaxedIsThere ??= WebAssembly.validate(Uint8Array.from(swizzle));
  return relaxedIsThere;
}

/** The kernels, or undefined where this engine cannot run that build. A Content-Security-Policy may still forbid it. */
export async function kernelsOf({ relaxed, shared }: Build): Promise<Uint8Array<ArrayBuffer> | undefined> {
  if (typeof WebAssembly === 'undefined') return undefined;
  const { hex } = relaxed
    ? await part('The WebAssembly kernels for relaxed SIMD', () => import('./binary-relaxed.ts'))
    : await part('The WebAssembly kernels', () => import('./binary-plain.ts'));
  // The import section says of its memory: its name ("memory"), kind 2, limits 3 (a maximum, shared) or 1 (a maximum). All else is equal.
  const text = shared ? hex : hex.replace('6d656d6f72790203', '6d656d6f72790201');
  const bytes = bytesOfHex(text);
  return WebAssembly.validate(bytes) ? bytes : undefined;
}

/** Where threads say why one has failed (kernels/threads.ts): so many letters, and these. */
const FAILED = 1024;

export function failureIn({ buffer }: WebAssembly.Memory): string | undefined {
  const letters = new Uint8Array(buffer, FAILED + 4, new Uint32Array(buffer, FAILED, 1)[0]!);
  return letters.length > 0 ? String.fromCharCode(...letters) : undefined;
}

export const environment = (memory: WebAssembly.Memory): WebAssembly.Imports => ({ env: { memory } });
