import type { Plan, Step, TensorSpec, WeightSpec } from '../plan/plan.ts';
import type { ModelConfig } from './config.ts';

/**
 * GPT-2 (Radford et al. 2019) as a plan. Tensor names and shapes are TransformerLens's
 * (`from_pretrained_no_processing`), weight names Hugging Face's.
 */
export function gpt2Plan(config: ModelConfig): Plan {
  const { nLayer, nHead, nEmbd, nInner, nCtx, vocabSize, layerNormEpsilon: epsilon } = config;
  const headDim = nEmbd / nHead;
  const tensors = new Map<string, TensorSpec>();
  const aliases = new Map<string, string>();
  const weights: WeightSpec[] = [];
  const steps: Step[] = [];

  const tensor = (name: string, ...shape: TensorSpec['shape']): string => {
    tensors.set(name, { name, shape });
    return name;
  };
  const vector = (name: string, columns: number): string => {
    weights.push({ name, kind: 'vector', rows: 1, columns, storedTransposed: false });
    return name;
  };
  const matrix = (name: string, rows: number, columns: number, storedTransposed = false): string => {
    weights.push({ name, kind: 'matrix', rows, columns, storedTransposed });
    return name;
  };
  /** Hugging Face's Conv1D: y = x W + b, W stored [in, out]. */
  const conv1d = (name: string, nIn: number, nOut: number) => ({
    weight: matrix(`${name}.weight`, nOut, nIn, true),
    bias: vector(`${name}.bias`, nOut),
  });
  /** x -> hook_scale, hook_normalized */
  const layerNorm = (hook: string, weight: string, input: string): string => {
    const scale = tensor(`${hook}.hook_scale`, 'rows', 1);
    const output = tensor(`${hook}.hook_normalized`, 'rows', nEmbd);
    const norm = { weight: vector(`${weight}.weight`, nEmbd), bias: vector(`${weight}.bias`, nEmbd), epsilon };
    steps.push({ op: 'layerNormScale', input, output: scale, epsilon });
    steps.push({ op: 'layerNorm', input, scale, output, ...norm });
    return output;
  };

  const wte = matrix('wte.weight', vocabSize, nEmbd);
  const wpe = matrix('wpe.weight', nCtx, nEmbd);
  const tokens = tensor('hook_embed', 'rows', nEmbd);
  const positions = tensor('hook_pos_embed', 'rows', nEmbd);
  let x = tensor('blocks.0.hook_resid_pre', 'rows', nEmbd);
  steps.push({ op: 'embed', weight: wte, output: tokens });
  steps.push({ op: 'positionEmbed', weight: wpe, output: positions });
  steps.push({ op: 'add', a: tokens, b: positions, output: x });

  for (let layer = 0; layer < nLayer; layer++) {
    const hook = `blocks.${layer}`;
    const scale =
      (config.scaleAttnWeights ? 1 / Math.sqrt(headDim) : 1) / (config.scaleAttnByInverseLayerIdx ? layer + 1 : 1);

    const n1 = layerNorm(`${hook}.ln1`, `h.${layer}.ln_1`, x);
    const q = tensor(`${hook}.attn.hook_q`, 'rows', nHead, headDim);
    const k = tensor(`${hook}.attn.hook_k`, 'rows', nHead, headDim);
    const v = tensor(`${hook}.attn.hook_v`, 'rows', nHead, headDim);
    const scores = tensor(`${hook}.attn.hook_attn_scores`, nHead, 'rows', 'context');
    const pattern = tensor(`${hook}.attn.hook_pattern`, nHead, 'rows', 'context');
    const z = tensor(`${hook}.attn.hook_z`, 'rows', nHead, headDim);
    const attnOut = tensor(`${hook}.hook_attn_out`, 'rows', nEmbd);
    const mid = tensor(`${hook}.hook_resid_mid`, 'rows', nEmbd);
    steps.push({ op: 'linear', input: n1, ...conv1d(`h.${layer}.attn.c_attn`, nEmbd, 3 * nEmbd), outputs: [q, k, v] });
    steps.push({ op: 'cacheAppend', k, v, layer });
    steps.push({ op: 'attentionScores', q, layer, scale, output: scores });
    steps.push({ op: 'maskedSoftmax', input: scores, output: pattern });
    steps.push({ op: 'attentionMix', pattern, layer, output: z });
    steps.push({ op: 'linear', input: z, ...conv1d(`h.${layer}.attn.c_proj`, nEmbd, nEmbd), outputs: [attnOut] });
    steps.push({ op: 'add', a: x, b: attnOut, output: mid });

    const n2 = layerNorm(`${hook}.ln2`, `h.${layer}.ln_2`, mid);
    const pre = tensor(`${hook}.mlp.hook_pre`, 'rows', nInner);
    const post = tensor(`${hook}.mlp.hook_post`, 'rows', nInner);
    const mlpOut = tensor(`${hook}.hook_mlp_out`, 'rows', nEmbd);
    const out = tensor(`${hook}.hook_resid_post`, 'rows', nEmbd);
    steps.push({ op: 'linear', input: n2, ...conv1d(`h.${layer}.mlp.c_fc`, nEmbd, nInner), outputs: [pre] });
    steps.push({ op: 'activation', kind: config.activation, input: pre, output: post });
    steps.push({ op: 'linear', input: post, ...conv1d(`h.${layer}.mlp.c_proj`, nInner, nEmbd), outputs: [mlpOut] });
    steps.push({ op: 'add', a: mid, b: mlpOut, output: out });

    // TransformerLens names the residual between two blocks twice.
    if (layer + 1 < nLayer) aliases.set(`blocks.${layer + 1}.hook_resid_pre`, out);
    x = out;
  }

  const normalized = layerNorm('ln_final', 'ln_f', x);
  const selected = tensor('selected', 'logitRows', nEmbd);
  const logits = tensor('logits', 'logitRows', vocabSize);
  const head = config.tieWordEmbeddings ? wte : matrix('lm_head.weight', vocabSize, nEmbd);
  steps.push({ op: 'selectRows', input: normalized, output: selected });
  steps.push({ op: 'linear', input: selected, weight: head, outputs: [logits] });

  return { nLayer, nHead, headDim, nEmbd, nCtx, vocabSize, weights, tensors, aliases, steps };
}
