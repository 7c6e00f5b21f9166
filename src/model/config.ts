import type { Activation } from '../plan/plan.ts';

/** What a GPT-2 checkpoint says of itself, under typed names. */
export interface ModelConfig {
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
  bosTokenId: number | null;
  /** Ids that end a text; empty for none. */
  eosTokenIds: number[];
}
