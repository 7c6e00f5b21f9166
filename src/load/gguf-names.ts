/** Names outside the blocks: llama.cpp's, then Hugging Face's. */
const outside = [
  ['token_embd', 'wte'],
  ['position_embd', 'wpe'],
  ['output_norm', 'ln_f'],
  ['output', 'lm_head'],
] as const;

/** Names in a block, as in llama.cpp's gguf-py/gguf/tensor_mapping.py. */
const inBlock = [
  ['attn_norm', 'ln_1'],
  ['attn_qkv', 'attn.c_attn'],
  ['attn_output', 'attn.c_proj'],
  ['ffn_norm', 'ln_2'],
  ['ffn_up', 'mlp.c_fc'],
  ['ffn_down', 'mlp.c_proj'],
] as const;

const toHub = new Map<string, string>([...outside, ...inBlock]);
const toGguf = new Map<string, string>([...toHub].map(([gguf, hub]) => [hub, gguf]));

/** `blk.0.attn_qkv.weight` is `h.0.attn.c_attn.weight`; what has no name in GPT-2 keeps its own. */
export const ggufNames = {
  toHub: (name: string): string => rename(name, /^(?:blk\.(\d+)\.)?(\w+)\.(weight|bias)$/, 'h', toHub),
  toGguf: (name: string): string => rename(name, /^(?:h\.(\d+)\.)?([\w.]+)\.(weight|bias)$/, 'blk', toGguf),
};

function rename(name: string, pattern: RegExp, block: string, names: ReadonlyMap<string, string>): string {
  const [, layer, part = '', kind] = pattern.exec(name) ?? [];
  const renamed = names.get(part);
  if (renamed === undefined) return name;
  return `${layer === undefined ? '' : `${block}.${layer}.`}${renamed}.${kind}`;
}
