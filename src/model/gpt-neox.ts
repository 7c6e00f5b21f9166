import { PlanBuilder } from '../plan/builder.ts';
import type { Plan } from '../plan/plan.ts';
import { addBlock, chooseWords } from './block.ts';
import type { DecoderConfig, Family } from './family.ts';
import type { Fields } from './fields.ts';
import { type Rotary, readRotary, ropeField, rotaryWeight } from './rope.ts';

/** What a checkpoint of GPT-NeoX's kind (Pythia) says of itself. */
export interface GptNeoxConfig extends DecoderConfig {
  layerNormEpsilon: number;
  rotary: Rotary;
  /** Attention and MLP read the same residual, and both are added to it. */
  parallelResidual: boolean;
  attentionBias: boolean;
}

function readConfig(fields: Fields): GptNeoxConfig {
  fields.plain();
  const { nEmbd, nHead, headDim } = fields.heads('hidden_size', 'num_attention_heads');
  const vocabSize = fields.size('vocab_size', 'vocabulary');
  const share = ropeField(fields).scaling.partial_rotary_factor ?? fields.get('rotary_pct') ?? 0.25;
  const dims =
    fields.get('rotary_ndims') === undefined
      ? Math.floor(headDim * Number(share))
      : fields.size('rotary_ndims', 'width');
  if (!(dims > 0) || 2 * Math.ceil(dims / 2) > headDim) throw fields.bad('rotary_pct', 'a share of a head');
  return {
    nLayer: fields.size('num_hidden_layers', 'count'),
    nHead,
    nEmbd,
    nInner: fields.size('intermediate_size', 'width'),
    nCtx: fields.size('max_position_embeddings', 'positions', 2048),
    vocabSize,
    activation: fields.activation('hidden_act', 'gelu'),
    layerNormEpsilon: fields.fraction('layer_norm_eps', 1e-5),
    rotary: readRotary(fields, dims, 'rotary_emb_base'),
    parallelResidual: fields.flag('use_parallel_residual', true),
    attentionBias: fields.flag('attention_bias', true),
    tieWordEmbeddings: fields.flag('tie_word_embeddings', false),
    ...fields.ends(vocabSize, { bos: [0], eos: [2] }),
  };
}

/** GPT-NeoX (Black et al. 2022) as a plan. Its files have queries, keys and values head by head. */
export function gptNeoxPlan(config: GptNeoxConfig, context = config.nCtx): Plan {
  const { nLayer, nHead, nEmbd, nInner, nCtx, vocabSize, layerNormEpsilon: epsilon, attentionBias: bias } = config;
  const headDim = nEmbd / nHead;
  const b = new PlanBuilder();
  const norm = (name: string) => b.layerNorm(name, nEmbd, epsilon);
  /** Where the file has row i of all queries, then all keys, then all values. */
  const order = (i: number) => {
    const [part, within] = [Math.floor(i / nEmbd), i % nEmbd];
    return Math.floor(within / headDim) * 3 * headDim + part * headDim + (within % headDim);
  };
  const words = b.matrix('embed_in.weight', vocabSize, nEmbd);
  const angles = rotaryWeight(b, config.rotary, Math.min(nCtx, context));
  let x = b.embed('hook_embed', { weight: words, by: 'token' });
  for (let layer = 0; layer < nLayer; layer++) {
    const name = `layers.${layer}`;
    x = addBlock(b, `blocks.${layer}`, x, {
      style: config.parallelResidual ? 'parallel' : 'pre',
      norms: [norm(`${name}.input_layernorm`), norm(`${name}.post_attention_layernorm`)],
      attention: {
        qkv: b.layer(`${name}.attention.query_key_value`, nEmbd, 3 * nEmbd, { bias, order }),
        out: b.layer(`${name}.attention.dense`, nEmbd, nEmbd, { bias }),
        keys: b.source(`cache.${layer}`, { nHead, headDim, axis: 'context' }),
        rotary: angles,
      },
      mlp: {
        up: b.layer(`${name}.mlp.dense_h_to_4h`, nEmbd, nInner),
        activation: config.activation,
        down: b.layer(`${name}.mlp.dense_4h_to_h`, nInner, nEmbd),
      },
    });
  }
  chooseWords(b, config, x, norm('final_layer_norm'), [words, 'embed_out.weight']);
  return b.plan({ nCtx, vocabSize });
}

export const gptNeox: Family<GptNeoxConfig> = {
  modelTypes: ['gpt_neox'],
  kind: 'decoder',
  title: 'GPT-NeoX',
  config: readConfig,
  plan: gptNeoxPlan,
  nameOf(name) {
    const own = name.replace(/^gpt_neox\./, '');
    // Causal masks and angles that old files hold.
    return /\.attention\.(bias|masked_bias|rotary_emb\.inv_freq)$/.test(own) ? undefined : own;
  },
  body: /^(embed_in|embed_out|layers|final_layer_norm)\./,
  ties: ({ tieWordEmbeddings }) => (tieWordEmbeddings ? [['embed_in.weight', 'embed_out.weight']] : []),
};
