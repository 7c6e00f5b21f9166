import { PlanBuilder } from '../plan/builder.ts';
import type { Activation, Plan } from '../plan/plan.ts';
import { addBlock, addMemory } from './block.ts';
import type { EncoderDecoderConfig, Family, Holds } from './family.ts';
import type { Fields } from './fields.ts';
import { readGeneration } from './generation.ts';

type ModelType = 't5' | 'mt5';

/** What a checkpoint of T5 (v1.0, v1.1, Flan) or mT5 says of itself. */
export interface T5Config extends EncoderDecoderConfig {
  modelType: ModelType;
  /** Width of a head; all heads together need not be as wide as the model. */
  headDim: number;
  nInner: number;
  activation: Activation;
  /** The MLP's hidden layer is multiplied by a second one. */
  isGated: boolean;
  layerNormEpsilon: number;
  /** Relative positions are told apart by so many buckets, the farthest from this distance on. */
  nBuckets: number;
  maxDistance: number;
  /** What the output layer reads is multiplied by nEmbd ** -0.5. */
  scalesOutput: boolean;
  /** The output layer is the word table. */
  tieWordEmbeddings: boolean;
}

const writes = /^M?T5(ForConditionalGeneration|WithLMHeadModel|Model)$/;

/** What files call the words, of which they may have any. */
const wordNames = ['shared.weight', 'encoder.embed_tokens.weight', 'decoder.embed_tokens.weight'];

function readConfig(fields: Fields, holds: Holds): T5Config {
  const modelType = fields.get('model_type') as ModelType;
  const isMultilingual = modelType === 'mt5';
  fields.plain({ is_encoder_decoder: true, is_decoder: false });
  fields.onlyClasses(writes, 'a class that writes, as T5ForConditionalGeneration');
  const nLayer = fields.size('num_layers', 'count', isMultilingual ? 8 : 6);
  const nHead = fields.size('num_heads', 'count', isMultilingual ? 6 : 8);
  const vocabSize = fields.size('vocab_size', 'vocabulary', isMultilingual ? 250112 : 32128);
  const saysTied = fields.flag('tie_word_embeddings', !isMultilingual);
  const nBuckets = fields.integer('relative_attention_num_buckets', 4, 1 << 12, 32);
  if (nBuckets % 2 !== 0) throw fields.bad('relative_attention_num_buckets', 'an even number');
  const padTokenId = 0;
  return {
    modelType,
    nLayer,
    nDecoderLayer: fields.size('num_decoder_layers', 'count', nLayer),
    nHead,
    nDecoderHead: nHead,
    nEmbd: fields.size('d_model', 'width', 512),
    headDim: fields.size('d_kv', 'width', 64),
    nInner: fields.size('d_ff', 'width', isMultilingual ? 1024 : 2048),
    nCtx: fields.size('n_positions', 'positions', 512),
    vocabSize,
    sourceVocabSize: vocabSize,
    isRelative: true,
    ...readActivation(fields, isMultilingual ? 'gated-gelu' : 'relu'),
    layerNormEpsilon: fields.fraction('layer_norm_epsilon', 1e-6),
    nBuckets,
    // Farther than the buckets of one direction, or the logarithm between them means nothing.
    maxDistance: fields.integer('relative_attention_max_distance', nBuckets / 2 + 1, 1 << 16, 128),
    // Of mT5, transformers 5 says that it is tied, whatever its file holds, and scales nothing.
    scalesOutput: fields.flag('scale_decoder_outputs', saysTied && !(isMultilingual && fields.writtenBy() >= 5)),
    tieWordEmbeddings: !holds('lm_head.weight') || (saysTied && !wordNames.some(holds)),
    generation: { padTokenId, eosTokenIds: [1], decoderStartTokenId: padTokenId, ...readGeneration(fields, vocabSize) },
    ...fields.tasks(),
  };
}

/** `feed_forward_proj` says both: `relu`, `gated-gelu`, `gated-silu`. Newer files say them once more in fields of their own, which win. */
function readActivation(fields: Fields, absent: string): Pick<T5Config, 'activation' | 'isGated'> {
  const whole = fields.get('feed_forward_proj') ?? absent;
  const found = typeof whole === 'string' ? /^(gated-)?([a-z_]+)$/.exec(whole) : undefined;
  if (!found) throw fields.unsupported('feed_forward_proj', 'relu, gated-gelu or the like');
  const kind = whole === 'gated-gelu' ? 'gelu_new' : found[2]!;
  const isApart = fields.get('dense_act_fn') !== undefined;
  return {
    activation: isApart ? fields.activation('dense_act_fn', kind) : fields.activation('feed_forward_proj', kind, kind),
    isGated: fields.flag('is_gated_act', found[1] !== undefined),
  };
}

/**
 * T5 (Raffel et al. 2019) as a plan: norms by root mean square before each sublayer, no biases, and a bias on the scores by the
 * distance of query and key, one table for all blocks of a part. Tensor names are those of TransformerLens's HookedEncoderDecoder.
 */
export function t5Plan(config: T5Config): Plan {
  const { nLayer, nHead, headDim, nDecoderLayer, nEmbd, nInner, nCtx, vocabSize, activation, isGated } = config;
  const b = new PlanBuilder();
  const norm = (name: string) => b.rmsNorm(name, nEmbd, config.layerNormEpsilon);
  const width = nHead * headDim;
  /** `parts` of attention as one layer. */
  const heads = (name: string, parts: readonly string[]) =>
    b.layers(name, parts, nEmbd, Array(parts.length).fill(width), false);
  const attentionOf = (name: string, keys: string) => {
    return { out: b.layer(`${name}.o`, width, nEmbd, { bias: false }), keys, scale: 1 };
  };
  const selfAttention = (name: string, keys: string, bias: string) => {
    return { qkv: heads(name, ['q', 'k', 'v']), ...attentionOf(name, keys), bias };
  };
  const mlp = (name: string) => {
    const up = isGated
      ? b.layers(name, ['wi_0', 'wi_1'], nEmbd, [nInner, nInner], false)
      : b.layer(`${name}.wi`, nEmbd, nInner, { bias: false });
    return { up, activation, down: b.layer(`${name}.wo`, nInner, nEmbd, { bias: false }), isGated };
  };
  const words = b.matrix('shared.weight', vocabSize, nEmbd);

  let x = b.embed('encoder.embed.hook_embed', { weight: words, by: 'token' });
  const text = b.source('text', { nHead, headDim, axis: 'rows' });
  const nearby = distances(b, config, 'encoder');
  for (let i = 0; i < nLayer; i++) {
    const layer = `encoder.block.${i}.layer`;
    x = addBlock(b, `encoder.${i}`, x, {
      norms: [norm(`${layer}.0.layer_norm`), norm(`${layer}.1.layer_norm`)],
      attention: selfAttention(`${layer}.0.SelfAttention`, text, nearby),
      mlp: mlp(`${layer}.1.DenseReluDense`),
    });
  }
  const encoded = b.norm('encoder_final_ln', x, norm('encoder.final_layer_norm'));
  b.alias('encoded', encoded);
  const memories = Array.from({ length: nDecoderLayer }, (_, i) => {
    const memory = b.source(`memory.${i}`, { nHead, headDim, axis: 'source' });
    const kv = heads(`decoder.block.${i}.layer.1.EncDecAttention`, ['k', 'v']);
    return addMemory(b, `decoder.${i}`, encoded, kv, memory);
  });
  b.endEncoder();

  x = b.embed('decoder.embed.hook_embed', { weight: words, by: 'token' });
  const before = distances(b, config, 'decoder');
  for (let i = 0; i < nDecoderLayer; i++) {
    const layer = `decoder.block.${i}.layer`;
    const cache = b.source(`cache.${i}`, { nHead, headDim, axis: 'context' });
    const cross = `${layer}.1.EncDecAttention`;
    x = addBlock(b, `decoder.${i}`, x, {
      norms: [norm(`${layer}.0.layer_norm`), norm(`${layer}.1.layer_norm`), norm(`${layer}.2.layer_norm`)],
      attention: selfAttention(`${layer}.0.SelfAttention`, cache, before),
      cross: { q: heads(cross, ['q']), ...attentionOf(cross, memories[i]!) },
      mlp: mlp(`${layer}.2.DenseReluDense`),
    });
  }

  x = b.norm('decoder_final_ln', x, norm('decoder.final_layer_norm'));
  if (config.scalesOutput) {
    const scale = { computed: { from: [], values: () => new Float32Array(nEmbd).fill(nEmbd ** -0.5) } };
    const row = b.embed('selected.scale', { weight: b.matrix('lm_head.scale', 1, nEmbd, scale), by: 'segment' });
    x = b.multiply('selected.scaled', x, row);
  }
  const head = config.tieWordEmbeddings ? words : b.matrix('lm_head.weight', vocabSize, nEmbd);
  b.dense('logits', b.select('selected', x), { weight: head });
  return b.plan({ nCtx, vocabSize });
}

/** What is added to the scores by distance, from -maxDistance to maxDistance: each has the value of its bucket. */
function distances(b: PlanBuilder, config: T5Config, part: 'encoder' | 'decoder'): string {
  const { nHead, nBuckets, maxDistance } = config;
  const name = `${part}.block.0.layer.0.SelfAttention.relative_attention_bias.weight`;
  const columns = 2 * maxDistance + 1;
  /** Where the stored table has value i of [nHead, columns]. */
  const placeOf = (i: number) =>
    bucketOf((i % columns) - maxDistance, part === 'encoder', config) * nHead + Math.floor(i / columns);
  const values = (stored: Float32Array) =>
    Float32Array.from({ length: nHead * columns }, (_, i) => stored[placeOf(i)]!);
  const adjoint = (gradient: Float32Array) => {
    const sums = new Float32Array(nBuckets * nHead);
    for (const [i, value] of gradient.entries()) sums[placeOf(i)]! += value;
    return [sums];
  };
  const from = [{ name, shape: [nBuckets, nHead] }];
  return b.matrix(name, nHead, columns, { computed: { from, values, adjoint } });
}

/**
 * The bucket of a key so many places behind (negative) or after a query: one for each near distance, then ever wider ones. The
 * encoder's are half for keys after the query. Rounded as float32, which decides at the borders.
 */
export function bucketOf(
  distance: number,
  isBidirectional: boolean,
  { nBuckets, maxDistance }: Pick<T5Config, 'nBuckets' | 'maxDistance'>,
): number {
  const count = isBidirectional ? nBuckets / 2 : nBuckets;
  const first = isBidirectional && distance > 0 ? count : 0;
  const away = isBidirectional ? Math.abs(distance) : Math.max(0, -distance);
  const exact = Math.floor(count / 2);
  if (away < exact) return first + away;
  const { fround, log } = Math;
  const share = fround(fround(log(fround(away / exact))) / fround(log(maxDistance / exact)));
  return first + Math.min(count - 1, exact + Math.trunc(fround(share * (count - exact))));
}

export const t5: Family<T5Config> = {
  modelTypes: ['t5', 'mt5'],
  kind: 'encoder-decoder',
  title: 'T5',
  config: readConfig,
  plan: t5Plan,
  // Old files hold a table for cross-attention, which has none.
  nameOf: (name) => (/EncDecAttention\.relative_attention_bias\.weight$/.test(name) ? undefined : name),
  body: /^(shared|encoder|decoder|lm_head)\./,
  ties({ tieWordEmbeddings }) {
    return [tieWordEmbeddings ? [...wordNames, 'lm_head.weight'] : wordNames];
  },
  layerField: () => 'num_layers',
};
