import type { ModelConfig } from '../../src/model/config.ts';

type Shape = Pick<ModelConfig, 'nLayer' | 'nHead' | 'nEmbd' | 'nInner' | 'nCtx' | 'vocabSize'>;

/** GPT-2's config in another shape. */
export function gpt2Config(shape: Shape): ModelConfig {
  return {
    ...shape,
    activation: 'gelu_new',
    layerNormEpsilon: 1e-5,
    scaleAttnWeights: true,
    scaleAttnByInverseLayerIdx: false,
    tieWordEmbeddings: true,
    bosTokenId: null,
    eosTokenIds: [],
  };
}
