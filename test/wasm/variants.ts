import { createWasmBackend, relaxedSupported, type WasmOptions } from '../../src/wasm/backend.ts';
import type { TestBackend } from '../backends.ts';

const inNode = typeof process !== 'undefined' && !!process.versions?.node;

async function open(options: WasmOptions) {
  if (options.relaxed && inNode && !relaxedSupported()) {
    // Node 20 has relaxed SIMD behind a flag, which must be set before the first module is compiled.
    throw new Error('Relaxed SIMD is off: is execArgv set in vitest.config.ts?');
  }
  return createWasmBackend(options);
}

/** The backend in every way it can run: with and without threads and relaxed SIMD. */
export const variants: (TestBackend & { options: WasmOptions })[] = [1, 2, 3].flatMap((threads) =>
  [false, true].map((relaxed) => ({
    name: `${threads} threads, ${relaxed ? 'relaxed' : 'plain'} SIMD`,
    options: { threads, relaxed },
    open: () => open({ threads, relaxed }),
  })),
);
