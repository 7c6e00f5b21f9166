import { createWasmBackend, type WasmOptions } from '../../src/wasm/backend.ts';
import { relaxedSupported } from '../../src/wasm/module.ts';
import type { TestBackend } from '../backends.ts';

const inNode = typeof process !== 'undefined' && !!process.versions?.node;

async function open(options: WasmOptions) {
  if (options.relaxed && inNode && !relaxedSupported()) {
    // Node 20 has relaxed SIMD behind a flag, which must be set before the first module is compiled.
    throw new Error('Relaxed SIMD is off: is execArgv set in vitest.config.ts?');
  }
  return createWasmBackend(options);
}

interface WasmVariant extends TestBackend {
  options: WasmOptions;
}

/**
 * The backend in every way it can run, with and without threads and relaxed SIMD; not in `all`, less: all other tests run the two threads
 * that a machine of two cores has by default, and one thread is the same in a page as in Node.
 */
export const variantsOf = (all: boolean): WasmVariant[] =>
  (all ? [1, 2, 3] : inNode ? [1, 3] : [3]).flatMap((threads) =>
    [
      { threads, relaxed: false },
      { threads, relaxed: true, i8Products: false },
      { threads, relaxed: true, i8Products: true },
    ].map((options) => ({
      name: `${threads} threads, ${options.relaxed ? 'relaxed' : 'plain'} SIMD${options.i8Products ? ', i8 products' : ''}`,
      options,
      open: () => open(options),
    })),
  );
