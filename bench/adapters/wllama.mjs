// wllama: llama.cpp compiled to WebAssembly, in a worker of its own.
import { Wllama } from '../node_modules/@wllama/wllama/esm/index.min.js';

const folder = new URL('../node_modules/@wllama/wllama/', import.meta.url).href;

/** @type {import('./adapter.d.ts').Open} */
export async function open({ source, device, threads }) {
  let onGpu = false; // as llama.cpp says only in its log
  const hear = (...words) => {
    onGpu ||= /WebGPU.*buffer size/i.test(words.join(' '));
  };
  const logger = { debug: hear, log: hear, warn: hear, error: console.error };
  const wllama = new Wllama({ default: `${folder}esm/wasm/wllama.wasm` }, { logger, suppressNativeLog: false });
  const { version } = await fetch(`${folder}package.json`).then((response) => response.json());
  const file = await fetch(source).then((response) => response.blob());
  await wllama.loadModel([file], {
    n_ctx: 1024,
    n_batch: 1024,
    n_threads: threads,
    n_parallel: 1,
    n_gpu_layers: device === 'webgpu' ? 99 : 0,
    flash_attn: true, // where llama.cpp finds it faster
  });
  if (device === 'webgpu' && !onGpu) throw new Error('wllama computes on the CPU here: it uses no such adapter.');
  return {
    about: `wllama ${version}`,
    async generate({ text }, count, onToken) {
      const stream = await wllama.createCompletion({
        prompt: text,
        max_tokens: count,
        temperature: 0,
        top_k: 1,
        ignore_eos: true,
        cache_prompt: false,
        stream: true,
      });
      for await (const { choices, usage } of stream) {
        if (usage) return usage.completion_tokens;
        onToken(choices[0].text);
      }
      throw new Error('wllama ended without saying how many tokens it made.');
    },
    close: () => wllama.exit(),
  };
}
