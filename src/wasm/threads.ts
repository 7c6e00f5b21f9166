import { VitrineError } from '../plan/error.ts';
import type { Kernels } from './module.ts';

/** Past this, threads only wait for memory. */
const MOST = 8;

const node = globalThis.process?.versions?.node ? globalThis.process : undefined;

/** Threads that can be had here: those of the machine where memory can be shared with workers, otherwise the caller's alone. */
export function availableThreads(): number {
  if (!node && !globalThis.crossOriginIsolated) return 1;
  const cores = node?.getBuiltinModule('node:os').availableParallelism() ?? navigator.hardwareConcurrency;
  return Math.min(MOST, cores || 1);
}

/** A page's main thread may not sleep. */
export const mayWait = !!node || typeof document === 'undefined';

interface Thread {
  terminate(): unknown;
}

/** Starts threads 1 .. count - 1; gives a way to end them. */
export async function startThreads(
  count: number,
  module: WebAssembly.Module,
  memory: WebAssembly.Memory,
  kernels: Kernels,
): Promise<() => void> {
  const threads: Thread[] = [];
  const end = () => {
    for (const thread of threads) thread.terminate();
  };
  const last = kernels.runsSoFar();
  try {
    await Promise.all(
      Array.from({ length: count - 1 }, (_, i) => {
        const worker = startWorker();
        threads.push(worker);
        return begun(worker, { module, memory, thread: i + 1, threads: count, last });
      }),
    );
  } catch (cause) {
    end();
    throw new VitrineError('bad-option', `The WebAssembly threads could not be started: ${cause}.`, {
      hint: "Serve the library's worker file beside it, allow it in the Content-Security-Policy, or load with threads: 1.",
      cause,
    });
  }
  return end;
}

function startWorker(): Worker {
  type WorkerClass = new (url: URL, options: object) => Worker;
  const Worker = (node?.getBuiltinModule('node:worker_threads').Worker ?? globalThis.Worker) as unknown as WorkerClass;
  // Bundlers find a worker by this very expression; Node's class takes the same, without the flags of its own process.
  return new Worker(new URL('./thread.js', import.meta.url), { type: 'module', execArgv: [] });
}

/** Hands the worker its work; until it is at it. */
function begun(worker: Worker, message: unknown): Promise<void> {
  return new Promise((resolve, reject) => {
    if (node) {
      const nodeWorker = worker as unknown as import('node:worker_threads').Worker;
      nodeWorker.unref(); // Node may exit without waiting for it
      nodeWorker.once('message', () => resolve());
      nodeWorker.once('error', reject);
    } else {
      worker.onmessage = () => resolve();
      worker.onerror = (event) => {
        event.preventDefault();
        reject(new Error(event.message || 'the worker script did not load'));
      };
    }
    worker.postMessage(message);
  });
}
