import { PlanBuilder } from '../plan/builder.ts';
import type { Activation, Plan } from '../plan/plan.ts';
import type { EncoderDecoderConfig, Family, Holds } from './family.ts';
import type { Fields } from './fields.ts';
import { readGeneration } from './generation.ts';

type ModelType = 'marian' | 'bart' | 'mbart' | 'pegasus';

/** What a checkpoint of Marian, BART, mBART or Pegasus says of itself. */
export interface MarianConfig extends EncoderDecoderConfig {
  modelType: ModelType;
  /** Widths of the MLPs' hidden layers. */
  nInner: number;
  nDecoderInner: number;
  activation: Activation;
  /** Embeddings are multiplied by sqrt(nEmbd): scale_embedding. */
  scaleEmbedding: boolean;
  /** Both parts and the output layer have the same words, or else each its own, or the output layer that of the decoder. */
  sharesWords: boolean;
  tieWordEmbeddings: boolean;
  /** There is a bias of the output layer, `final_logits_bias`. */
  hasLogitsBias: boolean;
}

/** What the class of each type in transformers does, whatever the older fields of its config say. */
const styles: Record<ModelType, Style> = {
  marian: { normalizesBefore: false, normalizesEmbedding: false, isSinusoidal: true },
  bart: { normalizesBefore: false, normalizesEmbedding: true, isSinusoidal: false },
  mbart: { normalizesBefore: true, normalizesEmbedding: true, isSinusoidal: false },
  pegasus: { normalizesBefore: true, normalizesEmbedding: false, isSinusoidal: true },
};

interface Style {
  /** Norms stand before attention and MLP, and one behind the last block; else behind the sums. */
  normalizesBefore: boolean;
  normalizesEmbedding: boolean;
  /** Positions are sines and cosines; else a table, whose first two rows are for no position. */
  isSinusoidal: boolean;
}

const epsilon = 1e-5; // stands in no config
const firstLearned = 2;

/** Classes whose checkpoints write. */
const writes = /^(MarianMTModel|(Marian|M?Bart|Pegasus)(Model|ForConditionalGeneration))$/;

function readConfig(fields: Fields, holds: Holds): MarianConfig {
  const modelType = fields.get('model_type') as ModelType;
  if (modelType === undefined)
    throw fields.unsupported('model_type', 'that of an encoder-decoder, as "marian" or "t5"');
  const style = styles[modelType];
  fields.fixed({
    is_encoder_decoder: true,
    is_decoder: false,
    add_cross_attention: false,
    quantization_config: null,
    normalize_before: style.normalizesBefore,
    add_final_layer_norm: style.normalizesBefore,
    normalize_embedding: style.normalizesEmbedding,
    static_position_embeddings: style.isSinusoidal,
  });
  for (const name of fields.architectures()) {
    if (!writes.test(name)) throw fields.unsupported('architectures', 'a class that writes, as MarianMTModel');
  }
  const nEmbd = fields.size('d_model', 'width', 1024);
  const heads = (field: string) => {
    const nHead = fields.size(field, 'count', 16);
    if (nEmbd % nHead !== 0) throw fields.bad(field, `a divisor of d_model, which is ${nEmbd}`);
    return nHead;
  };
  if (style.isSinusoidal && nEmbd % 2 !== 0) throw fields.bad('d_model', 'an even number');
  const words = fields.size('vocab_size', 'vocabulary', modelType === 'marian' ? 58101 : 50265);
  const isApart = holds('encoder.embed_tokens.weight') && holds('decoder.embed_tokens.weight');
  const tieWordEmbeddings = fields.flag('tie_word_embeddings', true);
  const mayShare = modelType === 'marian' ? fields.flag('share_encoder_decoder_embeddings', true) : tieWordEmbeddings;
  const sharesWords = mayShare || !isApart;
  const vocabSize = sharesWords ? words : fields.size('decoder_vocab_size', 'vocabulary', words);
  return {
    modelType,
    nLayer: fields.size('encoder_layers', 'count', 12),
    nDecoderLayer: fields.size('decoder_layers', 'count', 12),
    nHead: heads('encoder_attention_heads'),
    nDecoderHead: heads('decoder_attention_heads'),
    nEmbd,
    nInner: fields.size('encoder_ffn_dim', 'width', 4096),
    nDecoderInner: fields.size('decoder_ffn_dim', 'width', 4096),
    nCtx: fields.size('max_position_embeddings', 'positions', 1024),
    vocabSize,
    sourceVocabSize: words,
    isRelative: false,
    activation: fields.activation('activation_function', 'gelu'),
    scaleEmbedding: fields.flag('scale_embedding', false),
    sharesWords,
    tieWordEmbeddings,
    hasLogitsBias: holds('final_logits_bias'),
    generation: { ...absent[modelType](words), ...readGeneration(fields, vocabSize) },
    ...fields.tasks(),
  };
}

/** What the config's class means by absent ids. */
const absent: Record<ModelType, (words: number) => MarianConfig['generation']> = {
  marian: (words) => ({ decoderStartTokenId: words - 1, padTokenId: words - 1, eosTokenIds: [0] }),
  bart: () => ({ bosTokenId: 0, padTokenId: 1, eosTokenIds: [2], decoderStartTokenId: 2 }),
  mbart: () => ({ bosTokenId: 0, padTokenId: 1, eosTokenIds: [2] }),
  pegasus: () => ({ padTokenId: 0, eosTokenIds: [1], decoderStartTokenId: 0 }),
};

/**
 * The encoder-decoder of 2017 (Vaswani et al.) as Marian, BART, mBART and Pegasus have it, as a plan: the encoder's last steps write
 * the keys and values that the decoder's cross-attention reads. Tensor names are those of TransformerLens's HookedEncoderDecoder.
 */
export function marianPlan(config: MarianConfig): Plan {
  const { nLayer, nHead, nDecoderLayer, nDecoderHead, nEmbd, nCtx, vocabSize } = config;
  const b = new PlanBuilder();
  const { attention, crossAttention, memory, mlp, sublayer, finalNorm } = sublayers(b, config);
  const { source, target, head } = wordsOf(config);

  let x = embedding(b, config, 'encoder', b.matrix(source, config.sourceVocabSize, nEmbd));
  const text = b.source('text', { nHead, headDim: nEmbd / nHead, axis: 'rows' });
  for (let i = 0; i < nLayer; i++) {
    const [hook, layer] = [`encoder.${i}`, `encoder.layers.${i}`];
    b.alias(`${hook}.hook_resid_pre`, x);
    x = sublayer(x, `${hook}.ln1`, `${layer}.self_attn_layer_norm`, `${hook}.hook_resid_mid`, (x) =>
      attention(hook, layer, x, text, nHead),
    );
    x = sublayer(x, `${hook}.ln2`, `${layer}.final_layer_norm`, `${hook}.hook_resid_post`, (x) =>
      mlp(hook, layer, x, config.nInner),
    );
  }
  const encoded = finalNorm('encoder', x);
  b.alias('encoded', encoded);
  const memories = Array.from({ length: nDecoderLayer }, (_, i) => memory(i, encoded));
  b.endEncoder();

  x = embedding(b, config, 'decoder', b.matrix(target, vocabSize, nEmbd));
  for (let i = 0; i < nDecoderLayer; i++) {
    const [hook, layer] = [`decoder.${i}`, `decoder.layers.${i}`];
    b.alias(`${hook}.hook_resid_pre`, x);
    const cache = b.source(`cache.${i}`, { nHead: nDecoderHead, headDim: nEmbd / nDecoderHead, axis: 'context' });
    x = sublayer(x, `${hook}.ln1`, `${layer}.self_attn_layer_norm`, `${hook}.hook_resid_mid`, (x) =>
      attention(hook, layer, x, cache, nDecoderHead),
    );
    x = sublayer(x, `${hook}.ln2`, `${layer}.encoder_attn_layer_norm`, `${hook}.hook_resid_mid_cross`, (x) =>
      crossAttention(hook, layer, x, memories[i]!),
    );
    x = sublayer(x, `${hook}.ln3`, `${layer}.final_layer_norm`, `${hook}.hook_resid_post`, (x) =>
      mlp(hook, layer, x, config.nDecoderInner),
    );
  }

  const weight = b.matrix(head, vocabSize, nEmbd);
  const bias = () => b.vector('final_logits_bias', vocabSize, { storedShape: [1, vocabSize], isBuffer: true });
  const output = { weight, ...(config.hasLogitsBias && { bias: bias() }) };
  b.linear(b.select('selected', finalNorm('decoder', x)), output, ['logits', vocabSize]);
  return b.plan({ nCtx, vocabSize });
}

/** A layer norm, by its names here and in the files. */
const normOf = (b: PlanBuilder, nEmbd: number) => (hook: string, name: string, x: string, output?: string) => {
  const [weight, bias] = [b.vector(`${name}.weight`, nEmbd), b.vector(`${name}.bias`, nEmbd)];
  return b.norm(hook, x, { weight, bias, epsilon, centred: true }, output);
};

/** Words and positions of a part, summed. */
function embedding(b: PlanBuilder, config: MarianConfig, part: 'encoder' | 'decoder', words: string): string {
  const { nEmbd, nCtx, scaleEmbedding } = config;
  const { normalizesEmbedding, isSinusoidal } = styles[config.modelType];
  const [hook, full] = [`${part}.embed`, `${part}.embed.hook_full_embed`];
  const scale = scaleEmbedding ? { scale: Math.sqrt(nEmbd) } : {};
  const padding = config.generation.padTokenId;
  const tokens = b.embed(`${hook}.hook_embed`, { weight: words, by: 'token', padding, ...scale });
  const table = isSinusoidal
    ? { weight: b.matrix('embed_positions.weight', nCtx, nEmbd, sinusoids(nCtx, nEmbd)) }
    : { weight: b.matrix(`${part}.embed_positions.weight`, nCtx + firstLearned, nEmbd), first: firstLearned };
  const positions = b.embed(`${hook}.hook_pos_embed`, { ...table, by: 'position' });
  if (!normalizesEmbedding) return b.add(full, tokens, positions);
  return normOf(b, nEmbd)(`${hook}.ln`, `${part}.layernorm_embedding`, b.add(`${hook}.sum`, tokens, positions), full);
}

/** What the blocks are made of. */
function sublayers(b: PlanBuilder, { nEmbd, nDecoderHead, activation, modelType }: MarianConfig) {
  const { normalizesBefore } = styles[modelType];
  const norm = normOf(b, nEmbd);
  const linear = (x: string, name: string, nIn: number, nOut: number, output: string) =>
    b.linear(x, b.layer(name, nIn, nOut), [output, nOut])[0]!;
  /** `parts` of attention, one after the other, with a row of each head. */
  const heads = (hook: string, layer: string, x: string, parts: readonly string[], nHead: number) =>
    b.linear(
      x,
      b.layers(
        layer,
        parts.map((part) => `${part}_proj`),
        nEmbd,
        parts.map(() => nEmbd),
      ),
      ...parts.map((part) => [`${hook}.hook_${part}`, nHead, nEmbd / nHead] as const),
    );
  const mix = (hook: string, layer: string, q: string, source: string, nHead: number, output: string) => {
    const z = b.attention(hook, q, source, 1 / Math.sqrt(nEmbd / nHead));
    return linear(z, `${layer}.out_proj`, nEmbd, nEmbd, output);
  };
  return {
    /** x + f(x) as `sum`, with the norm before f or, as in 2017, behind the sum. */
    sublayer(x: string, hook: string, name: string, sum: string, f: (x: string) => string): string {
      if (normalizesBefore) return b.add(sum, x, f(norm(hook, name, x)));
      const isLast = sum.endsWith('hook_resid_post');
      return norm(hook, name, b.add(sum, x, f(x)), isLast ? sum.replace('resid', 'normalized_resid') : undefined);
    },
    attention(hook: string, layer: string, x: string, source: string, nHead: number): string {
      const [q, k, v] = heads(`${hook}.attn`, `${layer}.self_attn`, x, ['q', 'k', 'v'], nHead);
      b.append(k!, v!, source);
      return mix(`${hook}.attn`, `${layer}.self_attn`, q!, source, nHead, `${hook}.hook_attn_out`);
    },
    /** Keys and values of what was encoded, for a layer of the decoder. */
    memory(i: number, encoded: string): string {
      const [k, v] = heads(
        `decoder.${i}.cross_attn`,
        `decoder.layers.${i}.encoder_attn`,
        encoded,
        ['k', 'v'],
        nDecoderHead,
      );
      const source = b.source(`memory.${i}`, { nHead: nDecoderHead, headDim: nEmbd / nDecoderHead, axis: 'source' });
      b.append(k!, v!, source);
      return source;
    },
    crossAttention(hook: string, layer: string, x: string, memory: string): string {
      const [q] = heads(`${hook}.cross_attn`, `${layer}.encoder_attn`, x, ['q'], nDecoderHead);
      const output = `${hook}.hook_cross_attn_out`;
      return mix(`${hook}.cross_attn`, `${layer}.encoder_attn`, q!, memory, nDecoderHead, output);
    },
    mlp(hook: string, layer: string, x: string, nInner: number): string {
      const pre = linear(x, `${layer}.fc1`, nEmbd, nInner, `${hook}.mlp.hook_pre`);
      const post = b.activate(`${hook}.mlp.hook_post`, activation, pre);
      return linear(post, `${layer}.fc2`, nInner, nEmbd, `${hook}.hook_mlp_out`);
    },
    finalNorm: (part: string, x: string) => (normalizesBefore ? norm(`${part}_final_ln`, `${part}.layer_norm`, x) : x),
  };
}

/** The weights of the words: those of the source, of the target, and of the output layer. */
function wordsOf({ sharesWords, tieWordEmbeddings }: MarianConfig) {
  const [source, target] = sharesWords
    ? ['shared.weight', 'shared.weight']
    : ['encoder.embed_tokens.weight', 'decoder.embed_tokens.weight'];
  return { source: source!, target: target!, head: tieWordEmbeddings ? target! : 'lm_head.weight' };
}

/** Sines of a position in the first half of its row, cosines in the second, of frequencies 10000 ** (-2 i / width). */
function sinusoids(positions: number, width: number) {
  const half = width / 2;
  const values = () => {
    const table = new Float32Array(positions * width);
    for (let position = 0; position < positions; position++) {
      for (let i = 0; i < half; i++) {
        const angle = position / 10000 ** ((2 * i) / width);
        table[position * width + i] = Math.sin(angle);
        table[position * width + half + i] = Math.cos(angle);
      }
    }
    return table;
  };
  return { computed: { from: [], values } };
}

export const marian: Family<MarianConfig> = {
  modelTypes: ['marian', 'bart', 'mbart', 'pegasus'],
  kind: 'encoder-decoder',
  title: 'Marian or BART',
  config: readConfig,
  heads: () => ['next-words'],
  plan: marianPlan,
  nameOf: (name) => name.replace(/^model\./, ''),
  // Sinusoids that old files hold are made anew, and fairseq's buffers take no part.
  // Untied parts have words of their own, and the shared ones beside them take no part either.
  body: /^(lm_head|(encoder|decoder)\.(?!embed_positions\.|version$))/,
  ties(config) {
    const { target, head } = wordsOf(config);
    const everywhere = ['shared.weight', 'encoder.embed_tokens.weight', 'decoder.embed_tokens.weight'];
    const words = config.sharesWords ? everywhere : [target];
    return [head === target ? [...words, 'lm_head.weight'] : words];
  },
  layerField: () => 'encoder_layers',
};
