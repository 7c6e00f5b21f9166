import { startFirst } from '../host/start.ts';
import { locate, type Thread } from '../host/worker.ts';
import { isNode } from '../plan/host.ts';
import { PATIENCE, within } from '../plan/patience.ts';
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
export async function startThreads(
  count: number,
  module: WebAssembly.Module,
  memory: WebAssembly.Memory,
  kernels: Kernels,
): Promise<() => void> {
  const script = locate({
    make: () => new Worker(new URL('./thread.js', import.meta.url), { type: 'module' }),
    file: './thread.js',
    base: import.meta.url,
    own: 'threads.ts',
    source,
  });
  const threads: Thread[] = [];
  const end = () => {
    for (const thread of threads) thread.terminate();
  };
  const last = kernels.runsSoFar();
  // Firefox may stand still for good in a worker's `new Worker`: seldomer in a task of its own than right after compiling (docs/wasm.md).
  await new Promise((resolve) => setTimeout(resolve));
  try {
    // The first one finds the way, which the others take.
    const { thread, way } = await startFirst(script, said);
    threads.push(thread);
    const others = Array.from({ length: count - 2 }, () => startFirst({ ...script, ways: [way] }, said));
    const settled = await Promise.allSettled(others);
    for (const other of settled) if (other.status === 'fulfilled') threads.push(other.value.thread);
    for (const other of settled) if (other.status === 'rejected') throw other.reason;
    const ready = threads.map((worker, i) => {
      worker.postMessage({ module, memory, thread: i + 1, threads: count, last });
      return within(PATIENCE, said(worker), 'has not begun its work');
    });
    await Promise.all(ready);
    for (const thread of threads) thread.unref?.();
  } catch (cause) {
    end();
    throw cause;
  }
  return end;
}

/** Until the worker says something: first that it is there, then that it is at work. */
function said(worker: Thread): Promise<void> {
  return new Promise((resolve, reject) => {
    worker.onmessage = () => resolve();
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(event.message || 'did not load'));
    };
  });
}
