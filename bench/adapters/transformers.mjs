// transformers.js, whose generate() drives the onnxruntime-web that it brings along.
import {
  AutoModelForCausalLM,
  BaseStreamer,
  env,
  Tensor,
} from '../node_modules/@huggingface/transformers/dist/transformers.min.js';

/** @type {import('./adapter.d.ts').Open} */
export async function open({ source, device, weights, threads }) {
  const folder = new URL('..', source);
  Object.assign(env, { allowRemoteModels: false, allowLocalModels: true, useBrowserCache: false, useWasmCache: false });
  env.localModelPath = new URL('..', folder).href;
  const runtime = '../node_modules/@huggingface/transformers/node_modules/onnxruntime-web/dist/';
  Object.assign(env.backends.onnx.wasm, { numThreads: threads, wasmPaths: new URL(runtime, import.meta.url).href });
  const name = folder.pathname.split('/').at(-2);
  const model = await AutoModelForCausalLM.from_pretrained(name, { device, dtype: weights });

  class Listener extends BaseStreamer {
    #isPrompt = true;
    constructor(onToken) {
      super();
      this.onToken = onToken;
    }
    put([[id]]) {
      if (!this.#isPrompt) this.onToken(Number(id));
      this.#isPrompt = false;
    }
    end() {}
  }
  return {
    about: `transformers.js ${env.version}`,
    async generate({ ids }, count, onToken) {
      const row = (values) => new Tensor('int64', BigInt64Array.from(values, BigInt), [1, values.length]);
      const { dims } = await model.generate({
        inputs: row(ids),
        attention_mask: row(ids.map(() => 1)),
        max_new_tokens: count,
        min_new_tokens: count, // past end-of-text
        do_sample: false,
        streamer: new Listener(onToken),
      });
      return dims[1] - ids.length;
    },
    close: () => model.dispose(),
  };
}
