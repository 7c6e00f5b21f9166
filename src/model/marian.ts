import { PlanBuilder } from '../plan/builder.ts';
import type { Activation, Plan } from '../plan/plan.ts';
import { addBlock, addMemory } from './block.ts';
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
  fields.plain({
    is_encoder_decoder: true,
    is_decoder: false,
    normalize_before: style.normalizesBefore,
    add_final_layer_norm: style.normalizesBefore,
    normalize_embedding: style.normalizesEmbedding,
    static_position_embeddings: style.isSinusoidal,
  });
  fields.onlyClasses(writes, 'a class that writes, as MarianMTModel');
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
  const { nLayer, nHead, nDecoderLayer, nDecoderHead, nEmbd, nCtx, vocabSize, activation } = config;
  const { normalizesBefore } = styles[config.modelType];
  const style = normalizesBefore ? 'pre' : 'post';
  const b = new PlanBuilder();
  const norm = (name: string) => b.layerNorm(name, nEmbd, epsilon);
  const { source, target, head } = wordsOf(config);
  /** `parts` of attention as one layer. */
  const heads = (name: string, parts: readonly string[]) =>
    b.layers(name, parts, nEmbd, Array(parts.length).fill(nEmbd));
  const out = (name: string) => b.layer(`${name}.out_proj`, nEmbd, nEmbd);
  const selfAttention = (name: string, keys: string) => {
    return { qkv: heads(name, ['q_proj', 'k_proj', 'v_proj']), out: out(name), keys };
  };
  const mlp = (name: string, nInner: number) => {
    return { up: b.layer(`${name}.fc1`, nEmbd, nInner), activation, down: b.layer(`${name}.fc2`, nInner, nEmbd) };
  };
  const finalNorm = (part: string, x: string) =>
    normalizesBefore ? b.norm(`${part}_final_ln`, x, norm(`${part}.layer_norm`)) : x;

  let x = embedding(b, config, 'encoder', b.matrix(source, config.sourceVocabSize, nEmbd));
  const text = b.source('text', { nHead, headDim: nEmbd / nHead, axis: 'rows' });
  for (let i = 0; i < nLayer; i++) {
    const layer = `encoder.layers.${i}`;
    x = addBlock(b, `encoder.${i}`, x, {
      style,
      attention: selfAttention(`${layer}.self_attn`, text),
      mlp: mlp(layer, config.nInner),
      norms: [norm(`${layer}.self_attn_layer_norm`), norm(`${layer}.final_layer_norm`)],
    });
  }
  const encoded = finalNorm('encoder', x);
  b.alias('encoded', encoded);
  const headDim = nEmbd / nDecoderHead;
  const memories = Array.from({ length: nDecoderLayer }, (_, i) => {
    const memory = b.source(`memory.${i}`, { nHead: nDecoderHead, headDim, axis: 'source' });
    const kv = heads(`decoder.layers.${i}.encoder_attn`, ['k_proj', 'v_proj']);
    return addMemory(b, `decoder.${i}`, encoded, kv, memory);
  });
  b.endEncoder();

  x = embedding(b, config, 'decoder', b.matrix(target, vocabSize, nEmbd));
  for (let i = 0; i < nDecoderLayer; i++) {
    const layer = `decoder.layers.${i}`;
    const cache = b.source(`cache.${i}`, { nHead: nDecoderHead, headDim, axis: 'context' });
    const cross = `${layer}.encoder_attn`;
    x = addBlock(b, `decoder.${i}`, x, {
      style,
      attention: selfAttention(`${layer}.self_attn`, cache),
      cross: { q: heads(cross, ['q_proj']), out: out(cross), keys: memories[i]! },
      mlp: mlp(layer, config.nDecoderInner),
      norms: ['self_attn', 'encoder_attn', 'final'].map((part) => norm(`${layer}.${part}_layer_norm`)),
    });
  }

  const weight = b.matrix(head, vocabSize, nEmbd);
  const bias = () => b.vector('final_logits_bias', vocabSize, { storedShape: [1, vocabSize], isBuffer: true });
  const output = { weight, ...(config.hasLogitsBias && { bias: bias() }) };
  b.dense('logits', b.select('selected', finalNorm('decoder', x)), output);
  return b.plan({ nCtx, vocabSize });
}

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
  const norm = b.layerNorm(`${part}.layernorm_embedding`, nEmbd, epsilon);
  return b.norm(`${hook}.ln`, b.add(`${hook}.sum`, tokens, positions), norm, full);
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
