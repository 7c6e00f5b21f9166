import { after, PATIENCE, within } from '../plan/patience.ts';
import { startFirst } from './start.ts';
import type { StartThreads, Work } from './threads.ts';
import type { Thread, Way } from './worker.ts';

/** As `StartThreads` says, from this thread. */
export async function startThreads(...[ways, work]: Parameters<StartThreads>): Promise<() => void> {
  const threads: Thread[] = [];
  // It holds the threads alone: on a page, which collects garbage when it pleases, the memory would outlive its model.
  const end = () => {
    for (const thread of threads) thread.terminate();
  };
  try {
    await begin(threads, ways, work);
  } catch (cause) {
    end();
    throw cause;
  }
  return end;
}

async function begin(threads: Thread[], ways: Way[], work: Work): Promise<void> {
  // Firefox may stand still for good in a worker's `new Worker`: seldomer in a task of its own than right after compiling (docs/wasm.md).
  await after(0).promise;
  // The first one finds the way, which the others take.
  const { thread, way } = await startFirst({ ways }, said);
  threads.push(thread);
  const others = Array.from({ length: work.threads - 2 }, () => startFirst({ ways: [way] }, said));
  const settled = await Promise.allSettled(others);
  for (const other of settled) if (other.status === 'fulfilled') threads.push(other.value.thread);
  for (const other of settled) if (other.status === 'rejected') throw other.reason;
  const ready = threads.map((worker, i) => {
    worker.postMessage({ ...work, thread: i + 1 });
    return within(PATIENCE, said(worker), 'has not begun its work');
  });
  await Promise.all(ready);
  for (const thread of threads) thread.unref?.();
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
