// onnxruntime-web: a session and the loop around it, as its generation examples write it. Outputs of the cache become
// inputs of the next run; on WebGPU they stay there, and the logits are read back for the argmax in JavaScript.
const dist = new URL('../node_modules/onnxruntime-web/dist/', import.meta.url).href;
const builds = { webgpu: 'ort.webgpu.bundle.min.mjs', wasm: 'ort.wasm.bundle.min.mjs' };

/** @type {import('./adapter.d.ts').Open} */
export async function open({ source, device, threads }) {
  const ort = await import(dist + builds[device]);
  Object.assign(ort.env.wasm, { wasmPaths: dist, numThreads: threads });
  const [config, bytes] = await Promise.all([
    fetch(new URL('../config.json', source)).then((response) => response.json()),
    fetch(source).then((response) => response.arrayBuffer()),
  ]);
  const nLayer = config.n_layer ?? config.num_hidden_layers;
  const nKeyHead = config.n_head ?? config.num_key_value_heads;
  const headDim = config.head_dim ?? config.n_embd / config.n_head;
  const parts = Array.from({ length: nLayer }, (_, layer) => [`${layer}.key`, `${layer}.value`]).flat();
  const session = await ort.InferenceSession.create(bytes, {
    executionProviders: [device],
    graphOptimizationLevel: 'all',
    ...(device === 'webgpu' && {
      preferredOutputLocation: Object.fromEntries(parts.map((part) => [`present.${part}`, 'gpu-buffer'])),
    }),
  });

  const numbers = (values) => new ort.Tensor('int64', BigInt64Array.from(values, BigInt), [1, values.length]);
  const nothing = () => new ort.Tensor('float32', new Float32Array(), [1, nKeyHead, 0, headDim]);

  async function generate({ ids }, count, onToken) {
    let cache = Object.fromEntries(parts.map((part) => [`past_key_values.${part}`, nothing()]));
    let next = ids;
    for (let held = 0, i = 0; i < count; i++) {
      const total = held + next.length;
      const outputs = await session.run({
        input_ids: numbers(next),
        attention_mask: numbers(Array(total).fill(1)),
        position_ids: numbers(next.map((_, at) => held + at)),
        ...cache,
      });
      for (const past of Object.values(cache)) past.dispose();
      cache = Object.fromEntries(parts.map((part) => [`past_key_values.${part}`, outputs[`present.${part}`]]));
      next = [argmax(outputs.logits.data)];
      held = total;
      onToken(next[0]);
    }
    for (const past of Object.values(cache)) past.dispose();
    return count;
  }
  return { about: `onnxruntime-web ${ort.env.versions.web}`, generate, close: () => session.release() };
}

function argmax(values) {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i] > values[best]) best = i;
  return best;
}
