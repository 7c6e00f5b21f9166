// The models of `npm run bench:decoders`, each in what its peers read: a folder of safetensors, ONNX models in onnx/, GGUF files.
// Seeded ones are made once, in .cache/decoders.
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gguf } from '@huggingface/gguf';
import { runnerImport } from 'vite';
import { writeSeeded } from '../../tools/seeded.mjs';
import { llamaGraph } from '../onnx/decoders.mjs';
import { openSafetensors } from '../onnx/weights.mjs';

const root = join(import.meta.dirname, '../..');

const common = { hidden_act: 'silu', max_position_embeddings: 2048, tie_word_embeddings: true };
const shapes = {
  'smollm2-135m': {
    ...{ model_type: 'llama', architectures: ['LlamaForCausalLM'], hidden_size: 576, num_hidden_layers: 30 },
    ...{ num_attention_heads: 9, num_key_value_heads: 3, head_dim: 64, intermediate_size: 1536, vocab_size: 49152 },
    ...{ rms_norm_eps: 1e-5, rope_theta: 100000, bos_token_id: 1, eos_token_id: 2, ...common },
  },
  'qwen2.5-0.5b': {
    ...{ model_type: 'qwen2', architectures: ['Qwen2ForCausalLM'], hidden_size: 896, num_hidden_layers: 24 },
    ...{ num_attention_heads: 14, num_key_value_heads: 2, head_dim: 64, intermediate_size: 4864, vocab_size: 151936 },
    ...{ rms_norm_eps: 1e-6, rope_theta: 1000000, bos_token_id: 1, eos_token_id: 2, ...common },
  },
};

function tensorsOf(config) {
  const { hidden_size: width, intermediate_size: inner, num_hidden_layers: layers, head_dim: headDim } = config;
  const [queries, keys] = [config.num_attention_heads * headDim, config.num_key_value_heads * headDim];
  const matrix = (name, nOut, nIn) => ({ name: `${name}.weight`, shape: [nOut, nIn], spread: 1 / Math.sqrt(nIn) });
  const gain = (name) => ({ name: `${name}.weight`, shape: [width], spread: 0.1, centre: 1 });
  const heads = (block) =>
    Object.entries({ q: queries, k: keys, v: keys }).flatMap(([part, nOut]) => {
      const name = `${block}.self_attn.${part}_proj`;
      const bias = { name: `${name}.bias`, shape: [nOut], spread: 0.05 };
      return [matrix(name, nOut, width), ...(config.model_type === 'qwen2' ? [bias] : [])];
    });
  const block = (layer) => {
    const name = `model.layers.${layer}`;
    return [
      ...[gain(`${name}.input_layernorm`), ...heads(name), matrix(`${name}.self_attn.o_proj`, width, queries)],
      ...[gain(`${name}.post_attention_layernorm`), matrix(`${name}.mlp.gate_proj`, inner, width)],
      ...[matrix(`${name}.mlp.up_proj`, inner, width), matrix(`${name}.mlp.down_proj`, width, inner)],
    ];
  };
  return [
    { name: 'model.embed_tokens.weight', shape: [config.vocab_size, width], spread: 0.05 },
    ...Array.from({ length: layers }, (_, layer) => block(layer)).flat(),
    gain('model.norm'),
  ];
}

const onnxFiles = { f32: 'model.onnx', int8: 'model_int8.onnx', q4: 'model_q4.onnx' };
const ggufTypes = { f32: 'f32', f16: 'f16', q8: 'q8_0', q4: 'q4_0' };

/** The published model, where `npm run models` has fetched it: its GGUF file, which Vitrine reads too. */
const publishedFile = 'models/HuggingFaceTB/SmolLM2-135M-Instruct/resolve/main/SmolLM2-135M-Instruct.Q4_1.gguf';

/** The words of the file's vocabulary, [id, text], that a text of words is cut into. */
async function ownWords() {
  const { metadata } = await gguf(join(root, publishedFile), { allowLocalFile: true });
  const tokens = metadata['tokenizer.ggml.tokens'].slice(0, 12_000);
  return tokens.flatMap((token, id) => (/^Ġ[a-z]{3,}$/.test(token) ? [[id, ` ${token.slice(1)}`]] : []));
}

const seeded = (name) => ({
  formats: Object.keys(ggufTypes),
  words: async () => (await import('../prompts.mjs')).words,
  /** @returns the path from the root of what an adapter reads in a format, made if it is not there; undefined for none */
  async source(adapter, format) {
    const path = `.cache/decoders/${name}`;
    const folder = join(root, path);
    const config = shapes[name];
    if (!existsSync(join(folder, 'model.safetensors'))) {
      writeSeeded(folder, config, tensorsOf(config), { seed: 1 });
      writeFileSync(join(folder, 'generation_config.json'), '{}\n');
    }
    if (adapter === 'vitrine') return `${path}/`;
    if (adapter === 'wllama' || adapter === 'llama-cpp') {
      const type = ggufTypes[format];
      const file = `${path}/${type}.gguf`;
      if (!existsSync(join(root, file))) {
        const { module } = await runnerImport(join(root, 'bench/decoders/gguf.ts'));
        const { tensor, close } = openSafetensors(join(folder, 'model.safetensors'));
        const given = { config, tensors: tensorsOf(config), valuesOf: (one) => tensor(one).data };
        await module.writeLlamaGguf(given, join(root, file), type);
        close();
      }
      return file;
    }
    const onnx = onnxFiles[format === 'q8' ? 'int8' : format];
    if (!onnx) return undefined;
    const file = `${path}/onnx/${onnx}`;
    if (!existsSync(join(root, file))) {
      const { tensor, close } = openSafetensors(join(folder, 'model.safetensors'));
      llamaGraph(config, tensor, format === 'q8' ? 'int8' : format).write(join(root, file), name);
      close();
    }
    return file;
  },
});

export const models = {
  'smollm2-135m': seeded('smollm2-135m'),
  'qwen2.5-0.5b': seeded('qwen2.5-0.5b'),
  'SmolLM2-135M-Instruct': {
    formats: ['as published'],
    words: ownWords,
    isThere: () => existsSync(join(root, publishedFile)),
    source: async (adapter) => (['transformers', 'onnxruntime'].includes(adapter) ? undefined : publishedFile),
  },
};

/** What a peer calls a format. */
export const weightsOf = (adapter, format) => {
  if (format === 'as published') return 'auto';
  if (adapter === 'transformers') return { f32: 'fp32', q8: 'int8' }[format] ?? format;
  return format;
};
