// One row of the table, wherever it runs.
import { measure } from './measure.mjs';

/** Peers that start a worker of their own, and need a document. */
const onPage = new Set(['wllama']);

export async function runRow({ row, plan }) {
  // Peers ask how many threads the machine has.
  if (typeof document !== 'undefined' || typeof WorkerGlobalScope !== 'undefined') {
    Object.defineProperty(navigator, 'hardwareConcurrency', { value: row.threads, configurable: true });
  }
  const { open } = await import(`./adapters/${row.adapter}.mjs`);
  const onProgress = (step, ms) => console.log(`${row.adapter} ${row.weights}: ${step} ${ms.toFixed(1)} ms`);
  return measure(open, row, { ...plan, onProgress });
}

/** In a page: runs the row there or in a worker. */
export function runInPage(job) {
  if (onPage.has(job.row.adapter)) return runRow(job);
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./row-worker.mjs', import.meta.url), { type: 'module' });
    worker.onmessage = ({ data }) => (data.error ? reject(new Error(data.error)) : resolve(data.result));
    worker.onerror = (event) => reject(new Error(event.message || 'the worker did not start'));
    worker.postMessage(job);
  });
}
