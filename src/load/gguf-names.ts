/** Names outside the blocks and in a block: llama.cpp's (gguf-py/gguf/tensor_mapping.py), then Hugging Face's. */
interface Names {
  block: string;
  outside: Readonly<Record<string, string>>;
  inBlock: Readonly<Record<string, string>>;
}

const gpt2: Names = {
  block: 'h',
  outside: { token_embd: 'wte', position_embd: 'wpe', output_norm: 'ln_f', output: 'lm_head' },
  inBlock: {
    attn_norm: 'ln_1',
    attn_qkv: 'attn.c_attn',
    attn_output: 'attn.c_proj',
    ffn_norm: 'ln_2',
    ffn_up: 'mlp.c_fc',
    ffn_down: 'mlp.c_proj',
  },
};

const llama: Names = {
  block: 'layers',
  outside: { token_embd: 'embed_tokens', output_norm: 'norm', output: 'lm_head', rope_freqs: 'rope_freqs' },
  inBlock: {
    attn_norm: 'input_layernorm',
    attn_q: 'self_attn.q_proj',
    attn_k: 'self_attn.k_proj',
    attn_v: 'self_attn.v_proj',
    attn_output: 'self_attn.o_proj',
    attn_q_norm: 'self_attn.q_norm',
    attn_k_norm: 'self_attn.k_norm',
    ffn_norm: 'post_attention_layernorm',
    ffn_gate: 'mlp.gate_proj',
    ffn_up: 'mlp.up_proj',
    ffn_down: 'mlp.down_proj',
  },
};

const gptNeox: Names = {
  block: 'layers',
  outside: { token_embd: 'embed_in', output_norm: 'final_layer_norm', output: 'embed_out' },
  inBlock: {
    attn_norm: 'input_layernorm',
    attn_qkv: 'attention.query_key_value',
    attn_output: 'attention.dense',
    ffn_norm: 'post_attention_layernorm',
    ffn_up: 'mlp.dense_h_to_4h',
    ffn_down: 'mlp.dense_4h_to_h',
  },
};

/** Names by `general.architecture`. */
export const ggufNames = { gpt2: namesOf(gpt2), llama: namesOf(llama), gptneox: namesOf(gptNeox) };

/** What a file calls tensors, and what plans do. */
export interface GgufNames {
  /** `blk.0.attn_qkv.weight` is `h.0.attn.c_attn.weight`; what has no name in the family keeps its own. */
  toHub(name: string): string;
  toGguf(name: string): string;
}

function namesOf({ block, outside, inBlock }: Names): GgufNames {
  const toHub = new Map(Object.entries({ ...outside, ...inBlock }));
  const toGguf = new Map([...toHub].map(([gguf, hub]) => [hub, gguf]));
  const hubPattern = new RegExp(`^(?:${block}\\.(\\d+)\\.)?([\\w.]+)\\.(weight|bias)$`);
  return {
    toHub: (name) => rename(name, /^(?:blk\.(\d+)\.)?(\w+)\.(weight|bias)$/, block, toHub),
    toGguf: (name) => rename(name, hubPattern, 'blk', toGguf),
  };
}

function rename(name: string, pattern: RegExp, block: string, names: ReadonlyMap<string, string>): string {
  const [, layer, part = '', kind] = pattern.exec(name) ?? [];
  const renamed = names.get(part);
  if (renamed === undefined) return name;
  return `${layer === undefined ? '' : `${block}.${layer}.`}${renamed}.${kind}`;
}
