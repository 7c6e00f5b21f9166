// Runs a row in a Node process of its own, with Dawn where a browser has WebGPU.
import { create, globals } from 'webgpu';
import { countRow, measureCopies, runRow } from './row.mjs';

/** Collected early, it takes the process down: kept here. */
const dawn = create([]);

async function answer(job) {
  if (job.row.device !== 'webgpu') return runRow(job);
  Object.assign(globalThis, globals);
  globalThis.navigator ??= {}; // Node 20 has none
  Object.defineProperty(navigator, 'gpu', { value: dawn, configurable: true });
  copySharedMemory();
  const result = await runRow(job);
  const busyMs = async () => performance.eventLoopUtilization().active;
  const counts = await countRow({ ...job, tokens: job.plan.decodeTokens, busyMs });
  return { ...result, counts, copyBytesPerSecond: await measureCopies() };
}

/** Browsers write to buffers from shared memory, which is where onnxruntime keeps its numbers; Dawn in Node does not. */
function copySharedMemory() {
  const { writeBuffer } = GPUQueue.prototype;
  GPUQueue.prototype.writeBuffer = function (buffer, offset, data, ...part) {
    const own = data.buffer instanceof SharedArrayBuffer ? data.slice() : data;
    return writeBuffer.call(this, buffer, offset, own, ...part);
  };
}

process.once('message', (job) => {
  answer(job).then(
    (result) => process.send({ result }),
    (error) => process.send({ error: String(error?.stack ?? error) }),
  );
});
