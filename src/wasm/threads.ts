import { startThreads } from '../host/start-threads.ts';
import { elsewhere } from '../host/threads.ts';
import { locate } from '../host/worker.ts';
import { isNode } from '../plan/host.ts';
import type { Kernels } from './module.ts';
import source from './thread.js?raw';

/** Past this, threads only wait for memory. */
const MOST = 8;

const node = isNode() ? globalThis.process : undefined;

/** Why memory cannot be shared with workers here; undefined where it can. */
export function whyAlone(): string | undefined {
  if (typeof SharedArrayBuffer === 'undefined' && globalThis.crossOriginIsolated)
    return 'there is no SharedArrayBuffer';
  if (node) return undefined;
  if (!globalThis.crossOriginIsolated) return 'the page is not cross-origin isolated';
  return typeof Worker === 'undefined' ? 'there are no workers' : undefined;
}

/** Threads that the machine has. */
export function usefulThreads(): number {
  const cores = node?.getBuiltinModule('node:os').availableParallelism() ?? navigator.hardwareConcurrency;
  return Math.min(MOST, cores || 1);
}

/** A page's main thread may not sleep. */
export const mayWait = !!node || typeof document === 'undefined';

/**
 * Starts threads 1 .. count - 1; gives a way to end them.
 * @throws Error that says why they did not start; the memory may be theirs then, and must not be used
 */
export function startKernelThreads(
  threads: number,
  module: WebAssembly.Module,
  memory: WebAssembly.Memory,
  kernels: Kernels,
): Promise<() => void> {
  const { ways } = locate({
    make: () => new Worker(new URL('./thread.js', import.meta.url), { type: 'module' }),
    file: './thread.js',
    base: import.meta.url,
    own: 'threads.ts',
    source,
  });
  const start = elsewhere.start ?? startThreads;
  return start(ways, { module, memory, threads, last: kernels.runsSoFar() });
}
