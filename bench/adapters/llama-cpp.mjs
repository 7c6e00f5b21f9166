// Native llama.cpp, by node-llama-cpp's prebuilt binaries.
import { readFileSync } from 'node:fs';
import { getLlama } from 'node-llama-cpp';

const { version } = JSON.parse(readFileSync(new URL('../node_modules/node-llama-cpp/package.json', import.meta.url)));

/** @type {import('./adapter.d.ts').Open} */
export async function open({ source, threads }) {
  const options = { gpu: false, build: 'never', skipDownload: true, logLevel: 'error', maxThreads: threads };
  const llama = await getLlama(options);
  const model = await llama.loadModel({ modelPath: source, gpuLayers: 0 });
  const context = await model.createContext({ contextSize: 1024, batchSize: 1024, threads, flashAttention: 'auto' });
  const sequence = context.getSequence();
  return {
    about: `node-llama-cpp ${version} (llama.cpp ${llama.llamaCppRelease.release})`,
    async generate({ ids }, count, onToken) {
      await sequence.clearHistory();
      let left = count;
      for await (const id of sequence.evaluate(ids, { temperature: 0, yieldEogToken: true })) {
        onToken(id);
        if (--left === 0) break;
      }
      return count - left;
    },
    close: () => llama.dispose(),
  };
}
