import { open, rename } from 'node:fs/promises';
import { aligned, encodeTensor, type Field, ggufHeader, type TensorType } from '../../tools/gguf/layout.ts';
import { gpt2Tokens } from '../../tools/gguf/vocabulary.ts';

const names: Record<string, string> = {
  'model.embed_tokens': 'token_embd',
  'model.norm': 'output_norm',
  input_layernorm: 'attn_norm',
  'self_attn.q_proj': 'attn_q',
  'self_attn.k_proj': 'attn_k',
  'self_attn.v_proj': 'attn_v',
  'self_attn.o_proj': 'attn_output',
  post_attention_layernorm: 'ffn_norm',
  'mlp.gate_proj': 'ffn_gate',
  'mlp.up_proj': 'ffn_up',
  'mlp.down_proj': 'ffn_down',
};

// Vite ends its module runner when the import is done, and with it what would be imported later.
const { pieces, merges } = await gpt2Tokens();

/** GPT-2's own tokens, as many as the model has, and names for the rest: what is measured is not the vocabulary. */
function vocabularyFields(size: number): [string, Field][] {
  const tokens = Array.from({ length: size }, (_, id) => pieces[id] ?? `[PAD${id}]`);
  return [
    ['tokenizer.ggml.model', { type: 'string', value: 'gpt2' }],
    ['tokenizer.ggml.pre', { type: 'string', value: 'gpt-2' }],
    ['tokenizer.ggml.tokens', { type: 'strings', value: tokens }],
    ['tokenizer.ggml.token_type', { type: 'i32s', value: tokens.map((_, id) => (pieces[id] === undefined ? 5 : 1)) }],
    // Each makes the token whose place it has behind the bytes.
    ['tokenizer.ggml.merges', { type: 'strings', value: merges.slice(0, Math.max(0, size - 256)) }],
    ['tokenizer.ggml.bos_token_id', { type: 'u32', value: 1 }],
    ['tokenizer.ggml.eos_token_id', { type: 'u32', value: 2 }],
    ['tokenizer.ggml.add_bos_token', { type: 'bool', value: false }],
  ];
}

/** Rows of each head's pairs side by side, as llama.cpp has queries and keys of Llama. */
function inPairs(data: Float32Array, rows: number, headDim: number): Float32Array {
  const width = data.length / rows;
  const out = new Float32Array(data.length);
  for (let row = 0; row < rows; row++) {
    const [start, within] = [row - (row % headDim), row % headDim];
    const from = start + (within % 2) * (headDim / 2) + (within >> 1);
    out.set(data.subarray(from * width, (from + 1) * width), row * width);
  }
  return out;
}

interface Source {
  /** What config.json says. */
  config: Record<string, number> & { model_type: string };
  tensors: readonly { name: string; shape: readonly number[] }[];
  valuesOf(name: string): Float32Array;
}

/**
 * Writes a Llama or a Qwen2 as a GGUF file, with the layers in `type` and the words in q8_0 where that is q4_0, as llama.cpp's quantiser
 * has them finer.
 */
export async function writeLlamaGguf({ config, tensors, valuesOf }: Source, file: string, type: TensorType) {
  const arch = config.model_type;
  const entries = tensors.map(({ name, shape }) => {
    const [, layer, part, end] = /^(?:model\.layers\.(\d+)\.)?(.+)\.(weight|bias)$/.exec(name)!;
    const finer = part === 'model.embed_tokens' && type === 'q4_0';
    const own: TensorType = shape.length === 1 ? 'f32' : finer ? 'q8_0' : type;
    return { from: name, name: `${layer ? `blk.${layer}.` : ''}${names[part!]}.${end}`, type: own, shape };
  });
  const u32 = (name: string): Field => ({ type: 'u32', value: config[name]! });
  const f32 = (name: string): Field => ({ type: 'f32', value: config[name]! });
  const fields = new Map<string, Field>([
    ['general.architecture', { type: 'string', value: arch }],
    [`${arch}.block_count`, u32('num_hidden_layers')],
    [`${arch}.context_length`, u32('max_position_embeddings')],
    [`${arch}.embedding_length`, u32('hidden_size')],
    [`${arch}.feed_forward_length`, u32('intermediate_size')],
    [`${arch}.attention.head_count`, u32('num_attention_heads')],
    [`${arch}.attention.head_count_kv`, u32('num_key_value_heads')],
    [`${arch}.rope.dimension_count`, u32('head_dim')],
    [`${arch}.rope.freq_base`, f32('rope_theta')],
    [`${arch}.attention.layer_norm_rms_epsilon`, f32('rms_norm_eps')],
    ...vocabularyFields(config.vocab_size!),
  ]);
  const part = `${file}.part`; // what is broken off is not taken for the model
  const out = await open(part, 'w');
  await out.writeFile(ggufHeader(fields, entries));
  for (const { from, type: own, shape } of entries) {
    const data = valuesOf(from);
    const turns = arch === 'llama' && /\.[qk]_proj\.weight$/.test(from);
    const bytes = encodeTensor(own, turns ? inPairs(data, shape[0]!, config.head_dim!) : data);
    await out.writeFile(bytes);
    await out.writeFile(new Uint8Array(aligned(bytes.length) - bytes.length));
  }
  await out.close();
  await rename(part, file);
}
