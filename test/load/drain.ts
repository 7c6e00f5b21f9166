import { models } from '../../src/load/cached-models.ts';
import { folderStore } from '../../src/load/folder-store.ts';
import { type OpenOptions, openCheckpoint } from '../../src/load/open.ts';
import { gpt2Plan } from '../../src/model/gpt2.ts';

/** Loads all weights in a process, page or worker of its own; a number that their bits make. */
export async function drain(source: string, options: OpenOptions): Promise<number> {
  const checkpoint = await openCheckpoint(source, options);
  let sum = 0;
  for (const weight of checkpoint.check(gpt2Plan(checkpoint.config).weights)) {
    for await (const piece of checkpoint.read(weight)) {
      const bits = new Uint32Array(piece.buffer, piece.byteOffset, piece.length);
      for (const value of bits) sum = (Math.imul(sum, 31) + value) | 0;
    }
  }
  await checkpoint.verify?.(); // as `load` does: the file is whole in the cache then
  return sum;
}

const here = globalThis as typeof globalThis & { WorkerGlobalScope?: unknown; vitrine?: unknown };
if (typeof document !== 'undefined') here.vitrine = { drain, models };
else if (here.WorkerGlobalScope) {
  // As in browsers that write OPFS only through handles of workers.
  Reflect.deleteProperty(FileSystemFileHandle.prototype, 'createWritable');
  addEventListener('message', async ({ data }) =>
    postMessage(await drain(data.source, data.options).catch((error) => error.message)),
  );
} else if (process.env.VITRINE_DRAIN) {
  const { source, folder, endpoint } = JSON.parse(process.env.VITRINE_DRAIN);
  console.log(await drain(source, { endpoint, cache: folderStore(folder) }));
}
