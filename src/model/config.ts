import type { DecoderConfig } from './family.ts';
import type { Fields } from './fields.ts';

/** What a text decoder's checkpoint says of itself, under typed names; families have more fields of their own. */
export interface ModelConfig extends DecoderConfig {
  /** Of layer norms; absent where a family has others. */
  layerNormEpsilon?: number;
  /** GPT-2's: divide attention scores by sqrt(headDim). */
  scaleAttnWeights?: boolean;
  /** GPT-2's: divide them by (layer + 1) too. */
  scaleAttnByInverseLayerIdx?: boolean;
}

/**
 * A Hugging Face GPT-2 `config.json`. Absent optional fields have the defaults of transformers' GPT2Config; `n_ctx`
 * stands in for an absent `n_positions`. Token ids at or above vocab_size can never occur and are left out.
 * `reorder_and_upcast_attn` has no effect on float32. Fields of training and of other tasks' heads are not read.
 * @throws VitrineError `bad-checkpoint` for a field that is missing or ill-typed, `unsupported-checkpoint` for another
 *   kind of model
 */
export function readConfig(fields: Fields): ModelConfig {
  const modelType = fields.get('model_type') ?? 'gpt2';
  if (modelType !== 'gpt2') throw fields.unsupported('model_type', '"gpt2"');
  fields.plain();
  const { nEmbd, nHead } = fields.heads('n_embd', 'n_head');
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
    ...fields.ends(vocabSize, { bos: [50256], eos: [50256] }),
  };
}
