import type { ModelConfig } from '../model/config.ts';
import type { DecoderConfig, Family, Holds } from '../model/family.ts';
import { Fields } from '../model/fields.ts';
import { gptNeox } from '../model/gpt-neox.ts';
import { gpt2 } from '../model/gpt2.ts';
import { type LlamaConfig, llama } from '../model/llama.ts';
import { badCheckpoint, unsupportedCheckpoint, type VitrineError } from '../plan/error.ts';
import type { GgufFile } from './gguf.ts';
import { type GgufNames, ggufNames } from './gguf-names.ts';
import { ggufRotary } from './gguf-rotary.ts';
import { ggufTypes } from './gguf-types.ts';
import type { TensorLayout } from './layout.ts';

/** An architecture of GGUF files: the family that it is, and where its metadata has what config.json has. */
interface Architecture {
  family: Family<DecoderConfig>;
  names: GgufNames;
  /** Fields of config.json and of the metadata, the latter without the architecture before them. */
  fields: Readonly<Record<string, string>>;
  /** The plan's names of the word embedding and the output layer. */
  ends: readonly [words: string, head: string];
  /** What else config.json would have. */
  more?(gguf: GgufFile, fields: (name: string) => unknown): Record<string, unknown>;
  /** What only the tensors say. */
  settled?<Config>(config: Config, holds: Holds): Config;
  /** The row of a stored tensor, by its plan's name, that row i is, where the converter has changed their order. */
  orderOf?(config: DecoderConfig, name: string): ((i: number) => number) | undefined;
}

const common = { bos_token_id: 'tokenizer.ggml.bos_token_id', eos_token_id: 'tokenizer.ggml.eos_token_id' };

const ofLlama = (modelType: LlamaConfig['modelType']): Architecture => ({
  family: llama as unknown as Family<DecoderConfig>,
  names: ggufNames.llama,
  fields: {
    num_hidden_layers: 'block_count',
    num_attention_heads: 'attention.head_count',
    num_key_value_heads: 'attention.head_count_kv',
    head_dim: 'attention.key_length',
    hidden_size: 'embedding_length',
    intermediate_size: 'feed_forward_length',
    max_position_embeddings: 'context_length',
    rms_norm_eps: 'attention.layer_norm_rms_epsilon',
  },
  ends: ['embed_tokens.weight', 'lm_head.weight'],
  more({ fields }, of) {
    const window = of('attention.sliding_window');
    // llama.cpp's converter calls Mistral's models llama too.
    const isMistral = modelType === 'llama' && typeof window === 'number' && window > 0;
    const widths = { key: of('attention.key_length'), value: of('attention.value_length') };
    if (widths.key !== widths.value) throw otherThan(fields, 'attention.value_length', `${show(widths.key)}, as keys`);
    if (window && !isMistral) throw otherThan(fields, 'attention.sliding_window', '0');
    const headDim = of('attention.key_length') ?? Number(of('embedding_length')) / Number(of('attention.head_count'));
    const turned = of('rope.dimension_count');
    if (turned !== undefined && turned !== headDim && Number.isFinite(headDim))
      throw otherThan(fields, 'rope.dimension_count', `${show(headDim)}, whole heads`);
    const heads = of('attention.head_count_kv') ?? of('attention.head_count');
    return {
      model_type: isMistral ? 'mistral' : modelType,
      num_key_value_heads: heads,
      ...(isMistral && { sliding_window: window }),
    };
  },
  settled(config, holds) {
    const { rotary, ...rest } = config as unknown as LlamaConfig;
    const has = (part: string) => holds(`layers.0.${part}.bias`);
    const biases = { qkv: has('self_attn.q_proj'), out: has('self_attn.o_proj'), mlp: has('mlp.gate_proj') };
    const divided = holds('rope_freqs.weight') && { dividedBy: 'rope_freqs.weight' };
    return { ...rest, biases, rotary: { ...rotary, ...divided } } as typeof config;
  },
  ...(modelType === 'llama' && {
    /** Of each head of queries and keys, pairs that are turned lie side by side, not half a head apart. */
    orderOf(config: DecoderConfig, name: string) {
      const { headDim } = config as unknown as LlamaConfig;
      if (!/\.self_attn\.[qk]_proj\./.test(name)) return undefined;
      const half = headDim / 2;
      return (i: number) => i - (i % headDim) + 2 * (i % half) + Math.floor((i % headDim) / half);
    },
  }),
});

const architectures: Readonly<Record<string, Architecture>> = {
  gpt2: {
    family: gpt2 as unknown as Family<DecoderConfig>,
    names: ggufNames.gpt2,
    fields: {
      n_layer: 'block_count',
      n_head: 'attention.head_count',
      n_embd: 'embedding_length',
      n_inner: 'feed_forward_length',
      n_positions: 'context_length',
      layer_norm_epsilon: 'attention.layer_norm_epsilon',
    },
    ends: ['wte.weight', 'lm_head.weight'],
  },
  llama: ofLlama('llama'),
  qwen2: ofLlama('qwen2'),
  qwen3: ofLlama('qwen3'),
  gptneox: {
    family: gptNeox as unknown as Family<DecoderConfig>,
    names: ggufNames.gptneox,
    fields: {
      num_hidden_layers: 'block_count',
      num_attention_heads: 'attention.head_count',
      hidden_size: 'embedding_length',
      intermediate_size: 'feed_forward_length',
      max_position_embeddings: 'context_length',
      layer_norm_eps: 'attention.layer_norm_epsilon',
      rotary_ndims: 'rope.dimension_count',
      use_parallel_residual: 'use_parallel_residual',
    },
    ends: ['embed_in.weight', 'embed_out.weight'],
    more: (_, of) => ({ use_parallel_residual: Boolean(of('use_parallel_residual') ?? true) }),
    settled: (config, holds) => ({ ...config, attentionBias: holds('layers.0.attention.dense.bias') }),
  },
};

/** What would change the computation and is followed nowhere, with the values that leave it off. */
const foreign: Readonly<Record<string, readonly unknown[]>> = {
  expert_count: [0],
  'attention.scale': [0],
  'attention.clamp_kqv': [0],
  'attention.max_alibi_bias': [0],
  'attention.causal': [1],
  logit_scale: [0, 1],
  embedding_scale: [0, 1],
  residual_scale: [0, 1],
  attn_logit_softcapping: [0],
  final_logit_softcapping: [0],
};

const show = (value: unknown) => JSON.stringify(value) ?? 'missing';

const architectureName = (fields: GgufFile['fields']) => String(fields.get('general.architecture'));

function otherThan(fields: GgufFile['fields'], name: string, expected: string): VitrineError {
  const field = `${architectureName(fields)}.${name}`;
  return unsupportedCheckpoint(`${field} is ${show(fields.get(field))}; expected ${expected}.`);
}

/** What `load` needs of a GGUF file. */
export interface GgufModel {
  family: Family<DecoderConfig>;
  config: ModelConfig;
  layout: TensorLayout;
}

/**
 * The model in a GGUF file: its config from the metadata, as config.json would have it, and what its tensors are called. The
 * output layer is the token embedding unless there is one of its own.
 * @throws VitrineError `unsupported-checkpoint` for another architecture or a part of a model, `bad-checkpoint`
 */
export function ggufModel(gguf: GgufFile, file: string): GgufModel {
  const { fields, tensors } = gguf;
  const architecture = architectureOf(gguf, file);
  const { family, names, ends } = architecture;
  const prefix = architectureName(fields);
  const field = (name: string) => fields.get(`${prefix}.${name}`);
  for (const [name, off] of Object.entries(foreign)) {
    const found = field(name);
    if (found !== undefined && !off.includes(found)) throw otherThan(fields, name, show(off[0]));
  }
  if (tensors.length === 0) {
    const hint = 'It is made to test tokenizers; the weights are in another file.';
    throw badCheckpoint(`${file} holds a vocabulary and no weights.`, hint);
  }
  const stored = new Map(tensors.map((tensor) => [names.toHub(tensor.name), tensor]));
  const holds = (name: string) => stored.has(name);
  const [words, head] = ends.map((name) => stored.get(name));
  const vocabSize = (words ?? head)?.shape[0];
  if (vocabSize === undefined) throw badCheckpoint(`${file} lacks the tensor token_embd.weight.`);
  const places = { ...prefixed(architecture.fields, prefix), ...common, vocab_size: 'the length of token_embd.weight' };
  const json: Record<string, unknown> = {};
  for (const [name, place] of Object.entries(places)) {
    const value = fields.get(place);
    // An epsilon is 1e-5 again, and not its float32.
    json[name] = typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(7)) : value;
  }
  Object.assign(json, {
    vocab_size: vocabSize,
    tie_word_embeddings: !words || !head,
    eos_token_id: endsOf(fields),
    ...ggufRotary(fields, prefix, file),
    ...architecture.more?.(gguf, field),
  });
  const named = (name: string) => places[name as 'vocab_size'] ?? name;
  const read = family.config(new Fields(json, file, named), holds);
  const config = architecture.settled?.(read, holds) ?? read;
  const layout: TensorLayout = {
    config: 'its metadata',
    layerCount: `${prefix}.block_count`,
    types: ggufTypes,
    transposes: false,
    planName: names.toHub,
    body: /./,
    fileName: names.toGguf,
    orderOf: (_, name) => architecture.orderOf?.(config, name),
    tokenizer: ['none', 'no_vocab'].includes(String(fields.get('tokenizer.ggml.model') ?? 'none'))
      ? {}
      : { gguf: { fields, file } },
  };
  return { family, config: config as ModelConfig, layout };
}

function architectureOf({ fields }: GgufFile, file: string): Architecture {
  if (fields.get('general.type') === 'adapter') {
    const hint = 'Load it with its base: load(BASE, { adapter }).';
    throw unsupportedCheckpoint(`${file} is a LoRA adapter, not a whole model.`, hint);
  }
  const name = fields.get('general.architecture');
  if (typeof name !== 'string' || !Object.hasOwn(architectures, name)) {
    const found = `general.architecture in ${file} is ${name === undefined ? 'missing' : show(name)}`;
    const known = Object.keys(architectures).map(show).join(', ');
    throw unsupportedCheckpoint(`${found}; expected one of ${known}.`, 'Vitrine runs models of these families.');
  }
  const parts = Number(fields.get('split.count') ?? 1);
  if (parts > 1) {
    const found = `${file} is one of ${parts} parts of a model; expected a whole one.`;
    throw unsupportedCheckpoint(found, 'Join them: llama-gguf-split --merge.');
  }
  return architectures[name]!;
}

/** Tokens that end a text, or a turn of a chat. */
function endsOf(fields: GgufFile['fields']): unknown {
  const ids = ['eos', 'eot', 'eom'].map((name) => fields.get(`tokenizer.ggml.${name}_token_id`));
  const [eos, ...others] = ids.filter((id) => id !== undefined);
  return others.length > 0 ? [...new Set([eos, ...others])] : eos;
}

const prefixed = (fields: Readonly<Record<string, string>>, prefix: string) =>
  Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, `${prefix}.${field}`]));
