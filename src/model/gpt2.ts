import { PlanBuilder } from '../plan/builder.ts';
import type { Plan } from '../plan/plan.ts';
import { addBlock } from './block.ts';
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
  const b = new PlanBuilder();
  /** Hugging Face's Conv1D: y = x W + b, W stored [in, out]. */
  const conv1d = (name: string, nIn: number, nOut: number) => b.layer(name, nIn, nOut, { storedTransposed: true });
  const layerNorm = (name: string) => b.layerNorm(name, nEmbd, epsilon);

  const wte = b.matrix('wte.weight', vocabSize, nEmbd);
  const wpe = b.matrix('wpe.weight', nCtx, nEmbd);
  const tokens = b.embed('hook_embed', { weight: wte, by: 'token' });
  const positions = b.embed('hook_pos_embed', { weight: wpe, by: 'position' });
  let x = b.add('blocks.0.hook_resid_pre', tokens, positions);

  for (let layer = 0; layer < nLayer; layer++) {
    const h = `h.${layer}`;
    x = addBlock(b, `blocks.${layer}`, x, {
      norms: [layerNorm(`${h}.ln_1`), layerNorm(`${h}.ln_2`)],
      attention: {
        qkv: conv1d(`${h}.attn.c_attn`, nEmbd, 3 * nEmbd),
        out: conv1d(`${h}.attn.c_proj`, nEmbd, nEmbd),
        keys: b.source(`cache.${layer}`, { nHead, headDim, axis: 'context' }),
        scale: (scales ? 1 / Math.sqrt(headDim) : 1) / (scalesByLayer ? layer + 1 : 1),
      },
      mlp: {
        up: conv1d(`${h}.mlp.c_fc`, nEmbd, nInner),
        activation: config.activation,
        down: conv1d(`${h}.mlp.c_proj`, nInner, nEmbd),
      },
    });
  }

  const normed = b.norm('ln_final', x, layerNorm('ln_f'));
  const head = config.tieWordEmbeddings ? wte : b.matrix('lm_head.weight', vocabSize, nEmbd);
  b.dense('logits', b.select('selected', normed), { weight: head });
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
  plan: gpt2Plan,
  nameOf(name) {
    const own = name.replace(/^transformer\./, '');
    return body.test(own) && !mask.test(own) ? own : undefined;
  },
  body,
  ties: ({ tieWordEmbeddings }) => (tieWordEmbeddings ? [['wte.weight', 'lm_head.weight']] : []),
  layerField: () => 'n_layer',
};
