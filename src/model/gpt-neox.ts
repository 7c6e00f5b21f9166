import { PlanBuilder } from '../plan/builder.ts';
import type { Plan } from '../plan/plan.ts';
import type { DecoderConfig, Family } from './family.ts';
import type { Fields } from './fields.ts';
import { type Rotary, readRotary, rotaryWeight } from './rope.ts';

/** What a checkpoint of GPT-NeoX's kind (Pythia) says of itself. */
export interface GptNeoxConfig extends DecoderConfig {
  layerNormEpsilon: number;
  rotary: Rotary;
  /** Attention and MLP read the same residual, and both are added to it. */
  parallelResidual: boolean;
  attentionBias: boolean;
}

function readConfig(fields: Fields): GptNeoxConfig {
  fields.fixed({ is_encoder_decoder: false, add_cross_attention: false, quantization_config: null });
  const nEmbd = fields.size('hidden_size', 'width');
  const nHead = fields.size('num_attention_heads', 'count');
  if (nEmbd % nHead !== 0) throw fields.bad('hidden_size', `a multiple of num_attention_heads, which is ${nHead}`);
  const vocabSize = fields.size('vocab_size', 'vocabulary');
  const scaling = (fields.get('rope_parameters') ?? {}) as Record<string, unknown>;
  const share =
    scaling.partial_rotary_factor ?? fields.get('partial_rotary_factor') ?? fields.get('rotary_pct') ?? 0.25;
  const dims =
    fields.get('rotary_ndims') === undefined
      ? Math.floor((nEmbd / nHead) * Number(share))
      : fields.size('rotary_ndims', 'width');
  if (!(dims > 0) || dims % 2 !== 0 || dims > nEmbd / nHead)
    throw fields.bad('rotary_pct', 'a share of a head that is even');
  return {
    nLayer: fields.size('num_hidden_layers', 'count'),
    nHead,
    nEmbd,
    nInner: fields.size('intermediate_size', 'width'),
    nCtx: fields.size('max_position_embeddings', 'positions', 2048),
    vocabSize,
    activation: fields.activation('hidden_act', 'gelu'),
    layerNormEpsilon: fields.fraction('layer_norm_eps', 1e-5),
    rotary: readRotary(fields, dims),
    parallelResidual: fields.flag('use_parallel_residual', true),
    attentionBias: fields.flag('attention_bias', true),
    tieWordEmbeddings: fields.flag('tie_word_embeddings', false),
    bosTokenId: fields.tokenIds('bos_token_id', [0], vocabSize)[0] ?? null,
    eosTokenIds: fields.tokenIds('eos_token_id', [2], vocabSize),
  };
}

/** GPT-NeoX (Black et al. 2022) as a plan. Its files have queries, keys and values head by head. */
export function gptNeoxPlan(config: GptNeoxConfig): Plan {
  const { nLayer, nHead, nEmbd, nInner, nCtx, vocabSize, layerNormEpsilon: epsilon, rotary } = config;
  const headDim = nEmbd / nHead;
  const b = new PlanBuilder();
  const norm = (hook: string, name: string, x: string) => {
    const [weight, bias] = [b.vector(`${name}.weight`, nEmbd), b.vector(`${name}.bias`, nEmbd)];
    return b.norm(hook, x, { weight, bias, epsilon, centred: true });
  };
  /** Where the file has row i of all queries, then all keys, then all values. */
  const order = (i: number) => {
    const [part, within] = [Math.floor(i / nEmbd), i % nEmbd];
    return Math.floor(within / headDim) * 3 * headDim + part * headDim + (within % headDim);
  };
  const words = b.matrix('embed_in.weight', vocabSize, nEmbd);
  const angles = rotaryWeight(b, rotary, nCtx);
  let x = b.embed('hook_embed', { weight: words, by: 'token' });
  for (let layer = 0; layer < nLayer; layer++) {
    const [hook, name] = [`blocks.${layer}`, `layers.${layer}`];
    b.alias(`${hook}.hook_resid_pre`, x);
    const n1 = norm(`${hook}.ln1`, `${name}.input_layernorm`, x);
    const qkv = b.layer(`${name}.attention.query_key_value`, nEmbd, 3 * nEmbd, { bias: config.attentionBias, order });
    const heads = ['q', 'k', 'v'].map((part) => [`${hook}.attn.hook_${part}`, nHead, headDim] as const);
    const [q, k, v] = b.linear(n1, qkv, ...heads) as [string, string, string];
    const cache = b.source(`cache.${layer}`, { nHead, headDim, axis: 'context' });
    const turned = b.rotate(`${hook}.attn.hook_rot_q`, q, angles);
    b.append(b.rotate(`${hook}.attn.hook_rot_k`, k, angles), v, cache);
    const z = b.attention(`${hook}.attn`, turned, cache, 1 / Math.sqrt(headDim));
    const out = b.layer(`${name}.attention.dense`, nEmbd, nEmbd, { bias: config.attentionBias });
    const [attnOut] = b.linear(z, out, [`${hook}.hook_attn_out`, nEmbd]);
    const mid = config.parallelResidual ? x : b.add(`${hook}.hook_resid_mid`, x, attnOut!);

    const n2 = norm(`${hook}.ln2`, `${name}.post_attention_layernorm`, mid);
    const [pre] = b.linear(n2, b.layer(`${name}.mlp.dense_h_to_4h`, nEmbd, nInner), [`${hook}.mlp.hook_pre`, nInner]);
    const post = b.activate(`${hook}.mlp.hook_post`, config.activation, pre!);
    const down = b.layer(`${name}.mlp.dense_4h_to_h`, nInner, nEmbd);
    const [mlpOut] = b.linear(post, down, [`${hook}.hook_mlp_out`, nEmbd]);
    const sum = config.parallelResidual ? b.add(`${hook}.sum`, attnOut!, x) : mid;
    x = b.add(`${hook}.hook_resid_post`, sum, mlpOut!);
  }
  const normed = norm('ln_final', 'final_layer_norm', x);
  b.alias('ln_final_out', normed);
  const head = config.tieWordEmbeddings ? words : b.matrix('embed_out.weight', vocabSize, nEmbd);
  b.linear(b.select('selected', normed), { weight: head }, ['logits', vocabSize]);
  return b.plan({ nCtx, vocabSize });
}

export const gptNeox: Family<GptNeoxConfig> = {
  modelTypes: ['gpt_neox'],
  kind: 'decoder',
  title: 'GPT-NeoX',
  config: readConfig,
  heads: () => ['next-words'],
  plan: gptNeoxPlan,
  nameOf(name) {
    const own = name.replace(/^gpt_neox\./, '');
    // Causal masks and angles that old files hold.
    return /\.attention\.(bias|masked_bias|rotary_emb\.inv_freq)$/.test(own) ? undefined : own;
  },
  body: /^(embed_in|embed_out|layers|final_layer_norm)\./,
  ties: ({ tieWordEmbeddings }) => (tieWordEmbeddings ? [['embed_in.weight', 'embed_out.weight']] : []),
  layerField: () => 'num_hidden_layers',
};
