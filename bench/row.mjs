// One row of the table, wherever it runs.
import { count } from './count.mjs';
import { measure } from './measure.mjs';

/** Peers that start a worker of their own, and need a document. */
const onPage = new Set(['wllama']);

const adapterOf = ({ adapter }) => import(`./adapters/${adapter}.mjs`);
const compiled = (name) => import(`../.cache/bench/lib/${name}.mjs`);

export async function runRow({ row, plan }) {
  // Peers ask how many threads the machine has.
  if (typeof document !== 'undefined' || typeof WorkerGlobalScope !== 'undefined') {
    Object.defineProperty(navigator, 'hardwareConcurrency', { value: row.threads, configurable: true });
  }
  const { open } = await adapterOf(row);
  const onProgress = (step, ms) => console.log(`${row.adapter} ${row.weights}: ${step} ${ms.toFixed(1)} ms`);
  return measure(open, row, { ...plan, onProgress });
}

/** What a token of the row asks of the GPU. */
export async function countRow({ row, plan, tokens, busyMs }) {
  const [{ open }, { countingDevice }] = await Promise.all([adapterOf(row), compiled('counting-device')]);
  return count(open, row, { tokens, words: plan.words, countingDevice, busyMs });
}

/** Bytes that the GPU copies a second. */
export async function measureCopies() {
  const { copyBandwidth } = await compiled('bandwidth');
  const adapter = await navigator.gpu.requestAdapter({ powerPreference: 'high-performance' });
  const device = await adapter.requestDevice();
  const rate = await copyBandwidth(device);
  device.destroy();
  return rate;
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
