// One load in a worker, from its code to the first token, with each peer's own cache.
const ids = [7454, 2402, 257, 640]; // Once upon a time

const peers = {
  /** What has to be done with the bytes at the least: one request, a digest of each half megabyte, one file. */
  async bytes({ model }) {
    const folder = await navigator.storage.getDirectory();
    const handle = await folder.getFileHandle('bytes', { create: true });
    const file = await handle.createSyncAccessHandle();
    const response = await fetch(new URL(`../${model}model.safetensors`, import.meta.url), { cache: 'no-store' });
    const piece = new Uint8Array(1 << 19);
    let [filled, at] = [0, 0];
    const keep = async () => {
      await crypto.subtle.digest('SHA-256', piece.subarray(0, filled));
      at += file.write(piece.subarray(0, filled), { at });
      filled = 0;
    };
    for await (const chunk of response.body) {
      for (let from = 0; from < chunk.length; ) {
        const part = chunk.subarray(from, from + piece.length - filled);
        piece.set(part, filled);
        filled += part.length;
        from += part.length;
        if (filled === piece.length) await keep();
      }
    }
    await keep();
    file.close();
    return `${at} bytes`;
  },
  async vitrine({ dist = 'dist', model, weights, isLoad }) {
    const { load } = await import(`../${dist}/vitrine.js`);
    const source = new URL(`../${model}`, import.meta.url).href;
    const loaded = await load(source, { device: 'wasm', dtype: weights });
    if (isLoad) return 'Vitrine';
    await loaded.complete(ids, { maxNewTokens: 1 });
    return 'Vitrine';
  },
  async transformers({ model, weights, threads }) {
    const folder = './node_modules/@huggingface/transformers/';
    const { AutoModelForCausalLM, env, Tensor } = await import(`${folder}dist/transformers.min.js`);
    env.remoteHost = new URL('..', import.meta.url).href;
    env.remotePathTemplate = '.cache/bench/{model}/';
    const wasmPaths = new URL(`${folder}node_modules/onnxruntime-web/dist/`, import.meta.url).href;
    Object.assign(env.backends.onnx.wasm, { numThreads: threads, wasmPaths });
    const loaded = await AutoModelForCausalLM.from_pretrained(model, { device: 'wasm', dtype: weights });
    const row = (values) => new Tensor('int64', BigInt64Array.from(values, BigInt), [1, values.length]);
    await loaded.generate({
      inputs: row(ids),
      attention_mask: row(ids.map(() => 1)),
      max_new_tokens: 1,
      do_sample: false,
    });
    return `transformers.js ${env.version}`;
  },
};

addEventListener('message', async ({ data }) => {
  try {
    const begun = performance.now();
    const about = await peers[data.peer](data);
    postMessage({ about, firstToken: performance.now() - begun });
  } catch (error) {
    postMessage({ error: String(error?.stack ?? error) });
  }
});
