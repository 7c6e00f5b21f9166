import type { Activation } from '../plan/plan.ts';
import type { DecoderConfig } from './family.ts';
import { Fields } from './fields.ts';
import type { GenerationConfig } from './generation.ts';

/**
 * What a GPT-2 checkpoint says of itself, under typed names. Other decoders' have the fields of `DecoderConfig`, and some of
 * their own in place of what is GPT-2's alone.
 */
export interface ModelConfig extends DecoderConfig {
  nLayer: number;
  nHead: number;
  nEmbd: number;
  /** Width of the MLP's hidden layer: n_inner, or 4 n_embd. */
  nInner: number;
  /** The longest context: n_positions. */
  nCtx: number;
  vocabSize: number;
  activation: Activation;
  layerNormEpsilon: number;
  /** Divide attention scores by sqrt(headDim): scale_attn_weights. */
  scaleAttnWeights: boolean;
  /** Divide them by (layer + 1) too: scale_attn_by_inverse_layer_idx. */
  scaleAttnByInverseLayerIdx: boolean;
  /** The output layer is the token embedding: no lm_head.weight. */
  tieWordEmbeddings: boolean;
  /** The id that an empty prompt stands for: the file's, or else the tokenizer's `<|endoftext|>`. */
  bosTokenId: number | null;
  /** Ids that end a text; empty for none. */
  eosTokenIds: number[];
  /** What generation_config.json says, where there is one. */
  generation?: GenerationConfig;
}

/**
 * A Hugging Face GPT-2 `config.json`. Absent optional fields have the defaults of transformers' GPT2Config; `n_ctx`
 * stands in for an absent `n_positions`. Token ids at or above vocab_size can never occur and are left out.
 * `reorder_and_upcast_attn` has no effect on float32. Fields of training and of other tasks' heads are not read.
 * @param json what JSON.parse made of the file
 * @param file its name, for messages
 * @param named what the file calls a field, for messages
 * @throws VitrineError `bad-checkpoint` for a field that is missing or ill-typed, `unsupported-checkpoint` for another
 *   kind of model
 */
export function parseConfig(json: unknown, file: string, named?: (field: string) => string): ModelConfig {
  return readConfig(new Fields(json, file, named, 'GPT-2'));
}

export function readConfig(fields: Fields): ModelConfig {
  const modelType = fields.get('model_type') ?? 'gpt2';
  if (modelType !== 'gpt2') throw fields.unsupported('model_type', '"gpt2"');
  fields.fixed({ is_encoder_decoder: false, add_cross_attention: false, quantization_config: null });
  const nEmbd = fields.size('n_embd', 'width');
  const nHead = fields.size('n_head', 'count');
  if (nEmbd % nHead !== 0) throw fields.bad('n_embd', `a multiple of ${fields.named('n_head')}, which is ${nHead}`);
  const positions =
    fields.get('n_positions') === undefined && fields.get('n_ctx') !== undefined ? 'n_ctx' : 'n_positions';
  const vocabSize = fields.size('vocab_size', 'vocabulary');
  return {
    nLayer: fields.size('n_layer', 'count'),
    nHead,
    nEmbd,
    nInner: fields.size('n_inner', 'width', 4 * nEmbd),
    nCtx: fields.size(positions, 'positions'),
    vocabSize,
    activation: fields.activation('activation_function', 'gelu_new'),
    layerNormEpsilon: fields.fraction('layer_norm_epsilon', 1e-5),
    scaleAttnWeights: fields.flag('scale_attn_weights', true),
    scaleAttnByInverseLayerIdx: fields.flag('scale_attn_by_inverse_layer_idx', false),
    tieWordEmbeddings: fields.flag('tie_word_embeddings', true),
    bosTokenId: fields.tokenIds('bos_token_id', [50256], vocabSize)[0] ?? null,
    eosTokenIds: fields.tokenIds('eos_token_id', [50256], vocabSize),
  };
}
