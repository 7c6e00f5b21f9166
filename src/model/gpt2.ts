import { PlanBuilder } from '../plan/builder.ts';
import type { Plan } from '../plan/plan.ts';
import { type ModelConfig, readConfig } from './config.ts';
import type { Family } from './family.ts';

/**
 * GPT-2 (Radford et al. 2019) as a plan. Tensor names and shapes are TransformerLens's
 * (`from_pretrained_no_processing`), weight names Hugging Face's.
 */
export function gpt2Plan(config: ModelConfig): Plan {
  const { nLayer, nHead, nEmbd, nInner, nCtx, vocabSize, layerNormEpsilon: epsilon = 1e-5 } = config;
  const { scaleAttnWeights: scales = true, scaleAttnByInverseLayerIdx: scalesByLayer = false } = config;
  const headDim = nEmbd / nHead;
  const heads = [nHead, headDim] as const;
  const b = new PlanBuilder();
  /** Hugging Face's Conv1D: y = x W + b, W stored [in, out]. */
  const conv1d = (name: string, nIn: number, nOut: number) => b.layer(name, nIn, nOut, { storedTransposed: true });
  const layerNorm = (hook: string, name: string, x: string) => {
    const [weight, bias] = [b.vector(`${name}.weight`, nEmbd), b.vector(`${name}.bias`, nEmbd)];
    return b.norm(hook, x, { weight, bias, epsilon, centred: true });
  };

  const wte = b.matrix('wte.weight', vocabSize, nEmbd);
  const wpe = b.matrix('wpe.weight', nCtx, nEmbd);
  const tokens = b.embed('hook_embed', { weight: wte, by: 'token' });
  const positions = b.embed('hook_pos_embed', { weight: wpe, by: 'position' });
  let x = b.add('blocks.0.hook_resid_pre', tokens, positions);

  for (let layer = 0; layer < nLayer; layer++) {
    const [hook, h] = [`blocks.${layer}`, `h.${layer}`];
    const scale = (scales ? 1 / Math.sqrt(headDim) : 1) / (scalesByLayer ? layer + 1 : 1);
    // TransformerLens names the residual between two blocks twice.
    if (layer > 0) b.alias(`${hook}.hook_resid_pre`, x);

    const n1 = layerNorm(`${hook}.ln1`, `${h}.ln_1`, x);
    const attn = conv1d(`${h}.attn.c_attn`, nEmbd, 3 * nEmbd);
    const names = ['q', 'k', 'v'].map((part) => [`${hook}.attn.hook_${part}`, ...heads] as const);
    const [q, k, v] = b.linear(n1, attn, ...names) as [string, string, string];
    const cache = b.source(`cache.${layer}`, { nHead, headDim, axis: 'context' });
    b.append(k, v, cache);
    const z = b.attention(`${hook}.attn`, q, cache, scale);
    const [attnOut] = b.linear(z, conv1d(`${h}.attn.c_proj`, nEmbd, nEmbd), [`${hook}.hook_attn_out`, nEmbd]);
    const mid = b.add(`${hook}.hook_resid_mid`, x, attnOut!);

    const n2 = layerNorm(`${hook}.ln2`, `${h}.ln_2`, mid);
    const [pre] = b.linear(n2, conv1d(`${h}.mlp.c_fc`, nEmbd, nInner), [`${hook}.mlp.hook_pre`, nInner]);
    const post = b.activate(`${hook}.mlp.hook_post`, config.activation, pre!);
    const [mlpOut] = b.linear(post, conv1d(`${h}.mlp.c_proj`, nInner, nEmbd), [`${hook}.hook_mlp_out`, nEmbd]);
    x = b.add(`${hook}.hook_resid_post`, mid, mlpOut!);
  }

  const selected = b.select('selected', layerNorm('ln_final', 'ln_f', x));
  const head = config.tieWordEmbeddings ? wte : b.matrix('lm_head.weight', vocabSize, nEmbd);
  b.linear(selected, { weight: head }, ['logits', vocabSize]);
  return b.plan({ nCtx, vocabSize });
}

/** Names of what takes part in the computation; all else (heads of other tasks) is left alone. */
const body = /^(wte|wpe|h|ln_f|lm_head)\./;
/** The causal mask that old checkpoints hold as tensors: the whole name, as attn.c_attn.bias ends alike. */
const mask = /^h\.\d+\.attn\.(bias|masked_bias)$/;

export const gpt2: Family<ModelConfig> = {
  modelTypes: ['gpt2'],
  kind: 'decoder',
  title: 'GPT-2',
  config: readConfig,
  heads: () => ['next-words'],
  plan: gpt2Plan,
  nameOf(name) {
    const own = name.replace(/^transformer\./, '');
    return body.test(own) && !mask.test(own) ? own : undefined;
  },
  body,
  ties: ({ tieWordEmbeddings }) => (tieWordEmbeddings ? [['wte.weight', 'lm_head.weight']] : []),
  layerField: () => 'n_layer',
};
