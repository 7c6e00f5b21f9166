import { createCpuBackend } from '../src/cpu/backend.ts';
import type { Backend } from '../src/plan/backend.ts';

/** A backend that op and model suites run over. */
export interface TestBackend {
  name: string;
  open(): Promise<Backend>;
}

/** The environment's WebGPU: the browser's, or Dawn's in Node. */
export async function testGpu(): Promise<GPU> {
  if (typeof process !== 'undefined' && process.versions?.node) return (await import('./dawn.ts')).dawn;
  if (!navigator.gpu) throw new Error('The tests need WebGPU, and this browser has none (see scripts/browser.mjs).');
  return navigator.gpu;
}

/** Every backend there is here. One that cannot be had fails its suite: it is never skipped. */
export const backends: TestBackend[] = [{ name: 'cpu', open: async () => createCpuBackend() }];
