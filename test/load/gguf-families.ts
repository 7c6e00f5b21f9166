import { BlobFiles } from '../../src/load/blobs.ts';
import { readDirectory } from '../../src/load/safetensors.ts';
import { halfTable } from '../../src/plan/half.ts';
import { kinds, readSentencePieces } from '../../src/text/sentencepiece.ts';
import { readFixture, readFixtureJson } from '../fixtures.ts';
import { type GgufParts, type GgufTensor, type GgufValue, Raw, string, u32, u64 } from './tiny-gguf.ts';

/** Fixtures of decoders as llama.cpp's converter writes them: names, orders of rows, metadata. */

type Config = Record<string, number | null> & { rope_parameters?: { rope_theta: number } };

const llamaNames: Record<string, string> = {
  input_layernorm: 'attn_norm',
  'self_attn.q_proj': 'attn_q',
  'self_attn.k_proj': 'attn_k',
  'self_attn.v_proj': 'attn_v',
  'self_attn.o_proj': 'attn_output',
  'self_attn.q_norm': 'attn_q_norm',
  'self_attn.k_norm': 'attn_k_norm',
  post_attention_layernorm: 'ffn_norm',
  'mlp.gate_proj': 'ffn_gate',
  'mlp.up_proj': 'ffn_up',
  'mlp.down_proj': 'ffn_down',
  'model.embed_tokens': 'token_embd',
  'model.norm': 'output_norm',
  lm_head: 'output',
};
const neoxNames: Record<string, string> = {
  input_layernorm: 'attn_norm',
  'attention.query_key_value': 'attn_qkv',
  'attention.dense': 'attn_output',
  post_attention_layernorm: 'ffn_norm',
  'mlp.dense_h_to_4h': 'ffn_up',
  'mlp.dense_4h_to_h': 'ffn_down',
  'gpt_neox.embed_in': 'token_embd',
  'gpt_neox.final_layer_norm': 'output_norm',
  embed_out: 'output',
};

export interface StoredValues {
  shape: number[];
  values: Float32Array<ArrayBuffer>;
}

/** A fixture's tensors as float32. */
export async function fixtureTensors(folder: string, file = 'model.safetensors'): Promise<Map<string, StoredValues>> {
  const bytes = new Uint8Array(await readFixture(`families/${folder}/${file}`));
  const directory = await readDirectory(new BlobFiles(file, new Map([[file, new Blob([bytes])]])), file);
  return new Map(
    directory!.map(({ name, dtype, shape, start, end }) => {
      const stored = bytes.slice(start, end).buffer;
      const values =
        dtype === 'F32'
          ? new Float32Array(stored)
          : Float32Array.from(new Uint16Array(stored), (half) => halfTable()[half]!);
      return [name, { shape, values }];
    }),
  );
}

/** numpy's `w.reshape(heads, 2, rows / heads / 2, columns).swapaxes(1, 2)`, as convert_hf_to_gguf.py permutes q and k. */
export function permuted(values: Float32Array<ArrayBuffer>, rows: number, heads: number): Float32Array<ArrayBuffer> {
  const [width, half] = [values.length / rows, rows / heads / 2];
  const out = new Float32Array(values.length);
  let at = 0;
  for (let head = 0; head < heads; head++) {
    for (let pair = 0; pair < half; pair++) {
      for (const side of [0, 1]) {
        const from = ((head * 2 + side) * half + pair) * width;
        out.set(values.subarray(from, from + width), at);
        at += width;
      }
    }
  }
  return out;
}

/** Queries of all heads, then keys, then values, of rows that lie head by head. */
function inBlocks(values: Float32Array<ArrayBuffer>, rows: number, heads: number): Float32Array<ArrayBuffer> {
  const [width, dim] = [values.length / rows, rows / heads / 3];
  const out = new Float32Array(values.length);
  let at = 0;
  for (const part of [0, 1, 2]) {
    for (let head = 0; head < heads; head++) {
      const from = (head * 3 + part) * dim * width;
      out.set(values.subarray(from, from + dim * width), at);
      at += dim * width;
    }
  }
  return out;
}

const f32s = (...values: number[]) =>
  new Raw(9, u32(6), u64(values.length), new Uint8Array(new Float32Array(values).buffer));
export const f32 = (value: number): Raw => new Raw(6, new Uint8Array(new Float32Array([value]).buffer));
export const bool = (value: boolean): Raw => new Raw(7, new Uint8Array([value ? 1 : 0]));
export const text = (value: string): Raw => new Raw(8, string(value));

type Architecture = 'llama' | 'qwen2' | 'qwen3' | 'gptneox';

/** A fixture of one of these as the parts of a GGUF file of float32. */
export async function familyGguf(folder: string, architecture: Architecture): Promise<GgufParts> {
  const config = await readFixtureJson<Config>(`families/${folder}/config.json`);
  const isNeox = architecture === 'gptneox';
  const names = isNeox ? neoxNames : llamaNames;
  const heads = config.num_attention_heads!;
  const keyHeads = config.num_key_value_heads ?? heads;
  const tensors: GgufTensor[] = [];
  for (const [name, { shape, values }] of await fixtureTensors(folder)) {
    const [, layer, part, end] = /^(?:(?:model|gpt_neox)\.layers\.(\d+)\.)?(.+)\.(weight|bias)$/.exec(name)!;
    let bytes = values;
    if (architecture === 'llama' && part === 'self_attn.q_proj') bytes = permuted(values, shape[0]!, heads);
    if (architecture === 'llama' && part === 'self_attn.k_proj') bytes = permuted(values, shape[0]!, keyHeads);
    if (part === 'attention.query_key_value') bytes = inBlocks(values, shape[0]!, heads);
    const own = `${layer === undefined ? '' : `blk.${layer}.`}${names[part!]}.${end}`;
    tensors.push({ name: own, type: 0, axes: [...shape].reverse(), bytes: new Uint8Array(bytes.buffer) });
  }
  const headDim = config.head_dim ?? config.hidden_size! / heads;
  const turned = isNeox ? Math.floor(headDim * config.rotary_pct!) : headDim;
  const fields = new Map<string, GgufValue>([
    ['general.architecture', architecture],
    [`${architecture}.block_count`, config.num_hidden_layers!],
    [`${architecture}.context_length`, config.max_position_embeddings!],
    [`${architecture}.embedding_length`, config.hidden_size!],
    [`${architecture}.feed_forward_length`, config.intermediate_size!],
    [`${architecture}.attention.head_count`, heads],
    [`${architecture}.rope.dimension_count`, turned],
    [`${architecture}.rope.freq_base`, f32(config.rope_parameters?.rope_theta ?? config.rope_theta ?? 10_000)],
  ]);
  if (isNeox) {
    fields.set('gptneox.attention.layer_norm_epsilon', f32(config.layer_norm_eps!));
    fields.set('gptneox.use_parallel_residual', bool(config.use_parallel_residual as unknown as boolean));
  } else {
    fields.set(`${architecture}.attention.head_count_kv`, keyHeads);
    fields.set(`${architecture}.attention.key_length`, headDim);
    fields.set(`${architecture}.attention.value_length`, headDim);
    fields.set(`${architecture}.attention.layer_norm_rms_epsilon`, f32(config.rms_norm_eps!));
  }
  return { version: 3, fields, moreFields: [], tensors, alignment: 32 };
}

interface TokenizerJson {
  model: { vocab: Record<string, number>; merges: (string | [string, string])[] };
  added_tokens: { id: number; content: string; special: boolean }[];
}

/** The fields of a byte-level BPE. */
export async function bytePairFields(folder: string, pre: string): Promise<Map<string, GgufValue>> {
  const { model, added_tokens } = await readFixtureJson<TokenizerJson>(`families/${folder}/tokenizer.json`);
  const tokens: string[] = [];
  for (const [piece, id] of Object.entries(model.vocab)) tokens[id] = piece;
  const types = tokens.map(() => 1);
  for (const { id, content, special } of added_tokens) {
    tokens[id] = content;
    types[id] = special ? 3 : 4;
  }
  return new Map<string, GgufValue>([
    ['tokenizer.ggml.model', 'gpt2'],
    ['tokenizer.ggml.pre', pre],
    ['tokenizer.ggml.tokens', tokens],
    ['tokenizer.ggml.token_type', types],
    ['tokenizer.ggml.merges', model.merges.map((pair) => (typeof pair === 'string' ? pair : pair.join(' ')))],
  ]);
}

/** The fields of a SentencePiece model. */
export async function sentencePieceFields(folder: string): Promise<Map<string, GgufValue>> {
  const { pieces } = readSentencePieces(
    new Uint8Array(await readFixture(`families/${folder}/tokenizer.model`)),
    'tokenizer.model',
  );
  const idOf = (kind: number) => pieces.findIndex((piece) => piece.kind === kind);
  return new Map<string, GgufValue>([
    ['tokenizer.ggml.model', 'llama'],
    ['tokenizer.ggml.pre', 'default'],
    ['tokenizer.ggml.tokens', pieces.map(({ piece }) => piece)],
    ['tokenizer.ggml.scores', f32s(...pieces.map(({ score }) => score))],
    ['tokenizer.ggml.token_type', pieces.map(({ kind }) => kind)],
    ['tokenizer.ggml.unknown_token_id', idOf(kinds.unknown)],
    ['tokenizer.ggml.bos_token_id', 1],
    ['tokenizer.ggml.eos_token_id', 2],
  ]);
}
