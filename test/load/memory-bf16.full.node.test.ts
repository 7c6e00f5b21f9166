import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { serve } from '../../scripts/serve.mjs';
import { load } from '../../src/index.ts';
import { type Header, lengthBytes } from './tiny-checkpoint.ts';

const megabyte = 2 ** 20;
const config = {
  model_type: 'llama',
  ...{ hidden_size: 1024, intermediate_size: 4096, num_hidden_layers: 14, num_attention_heads: 16 },
  ...{ num_key_value_heads: 4, vocab_size: 32000, max_position_embeddings: 256, tie_word_embeddings: true },
  ...{ rms_norm_eps: 1e-5, rope_theta: 10000, hidden_act: 'silu', bos_token_id: 1, eos_token_id: 2 },
};

let folder: string;

/** A Llama in BF16: a real header, and 490 MB of zeros that take no room on disk. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'llama-bf16-'));
  const { hidden_size: width, intermediate_size: inner, vocab_size: words, num_hidden_layers: layers } = config;
  const shapes: Record<string, number[]> = { embed_tokens: [words, width], norm: [width] };
  for (let i = 0; i < layers; i++) {
    const layer = { input_layernorm: [width], post_attention_layernorm: [width] };
    const attention = {
      q_proj: [width, width],
      k_proj: [width / 4, width],
      v_proj: [width / 4, width],
      o_proj: [width, width],
    };
    const mlp = { gate_proj: [inner, width], up_proj: [inner, width], down_proj: [width, inner] };
    for (const [part, tensors] of Object.entries({ '': layer, 'self_attn.': attention, 'mlp.': mlp })) {
      for (const [name, shape] of Object.entries(tensors)) shapes[`layers.${i}.${part}${name}`] = shape;
    }
  }
  const header: Header = {};
  let end = 0;
  for (const [name, shape] of Object.entries(shapes)) {
    const bytes = 2 * shape.reduce((a, b) => a * b, 1);
    header[`model.${name}.weight`] = { dtype: 'BF16', shape, data_offsets: [end, (end += bytes)] };
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  await writeFile(join(folder, 'config.json'), JSON.stringify(config));
  const file = await open(join(folder, 'model.safetensors'), 'w');
  await file.write(lengthBytes(json.length));
  await file.write(json);
  await file.truncate(8 + json.length + end);
  await file.close();
});
afterAll(() => rm(folder, { recursive: true }));

test.each(['wasm', 'cpu'] as const)(
  '500 MB of BF16 on %s: little memory but the weights, which are not doubled',
  async (device) => {
    const server = await serve(folder);
    const used = () => {
      const { heapUsed, arrayBuffers } = process.memoryUsage();
      return heapUsed + arrayBuffers;
    };
    const before = used();
    let peak = 0;
    const sample = () => {
      peak = Math.max(peak, used() - before);
    };
    const model = await load(server.url, { device, contextLength: 64, onProgress: sample });
    sample();
    const { bytes, dtype } = model.device;
    const weights = device === 'cpu' ? bytes : 0; // WebAssembly's memory is none of JavaScript's
    console.log(
      `${device}: weights ${(bytes / megabyte) | 0} MiB, heap and array buffers beyond +${((peak - weights) / megabyte) | 0} MiB`,
    );
    expect(dtype).toBe('bf16');
    expect(bytes).toBeGreaterThan(480e6);
    expect(bytes).toBeLessThan(520e6);
    expect(peak - weights).toBeLessThan(120 * megabyte);
    const { usage } = await model.complete([1, 5, 7], { maxNewTokens: 2, eosTokenId: null });
    expect(usage.completion).toBe(2);
    model.dispose();
    await server.close();
  },
);
