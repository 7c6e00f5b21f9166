import { PlanBuilder } from '../plan/builder.ts';
import type { Activation, Plan } from '../plan/plan.ts';
import { addBlock } from './block.ts';
import type { BaseConfig, Family, Holds } from './family.ts';
import { type Fields, type ProblemType, problemTypes } from './fields.ts';

/** What a checkpoint of an image encoder says of itself. */
export interface VisionConfig extends BaseConfig {
  modelType: 'vit' | 'deit';
  nInner: number;
  activation: Activation;
  layerNormEpsilon: number;
  /** Pixels of an image and of a patch: [height, width]. */
  imageSize: readonly [number, number];
  patchSize: readonly [number, number];
  channels: number;
  /** Whether queries, keys and values have biases. */
  qkvBias: boolean;
  /** Rows before the patches: the class token, and DeiT's distillation token. */
  nPrefix: 1 | 2;
  /** Names of classes, in order of the logits; empty where there is no head. */
  labels: string[];
  /** DeiT's second head, on the distillation token: the logits are the mean of both. */
  distilled: boolean;
  /** `problem_type`, where the file has one. */
  problemType: ProblemType | undefined;
}

function readConfig(fields: Fields, holds: Holds): VisionConfig {
  const modelType = fields.get('model_type') as 'vit' | 'deit' | undefined;
  if (modelType === undefined) throw fields.unsupported('model_type', '"vit" or "deit"');
  fields.plain({ is_decoder: false });
  const { nEmbd, nHead } = fields.heads('hidden_size', 'num_attention_heads', { nEmbd: 768, nHead: 12 });
  const imageSize = pair(fields, 'image_size', 224);
  const patchSize = pair(fields, 'patch_size', 16);
  if (imageSize.some((side, i) => side % patchSize[i]! !== 0)) {
    throw fields.bad('image_size', `a multiple of patch_size, which is ${patchSize.join(' x ')}`);
  }
  const distilled = holds('distillation_classifier.weight');
  const hasHead = distilled || holds('classifier.weight');
  fields.onlyClasses(/(ForImageClassification(WithTeacher)?|Model)$/, 'a class that encodes or classifies images');
  const nPrefix = modelType === 'deit' ? 2 : 1;
  const [rows, columns] = imageSize.map((side, i) => side / patchSize[i]!) as [number, number];
  return {
    modelType,
    nLayer: fields.size('num_hidden_layers', 'count', 12),
    nHead,
    nEmbd,
    nInner: fields.size('intermediate_size', 'width', 3072),
    nCtx: nPrefix + rows * columns,
    vocabSize: 0,
    activation: fields.activation('hidden_act', 'gelu'),
    layerNormEpsilon: fields.fraction('layer_norm_eps', 1e-12),
    imageSize,
    patchSize,
    channels: fields.size('num_channels', 'count', 3),
    qkvBias: fields.flag('qkv_bias', true),
    nPrefix,
    labels: hasHead ? fields.labels() : [],
    distilled,
    problemType: fields.oneOf('problem_type', problemTypes),
  };
}

/** [height, width] of a field that holds one number for both, or two. */
function pair(fields: Fields, name: string, absent: number): [number, number] {
  const value = fields.get(name) ?? absent;
  const sides = Array.isArray(value) ? value : [value, value];
  const isSide = (side: unknown) => Number.isInteger(side) && (side as number) >= 1 && (side as number) <= 1 << 14;
  if (sides.length === 2 && sides.every(isSide)) return sides as [number, number];
  throw fields.bad(name, 'an integer from 1, or a list of two');
}

/**
 * The vision transformer (Dosovitskiy et al. 2020) and DeiT as a plan: patches are rows of numbers, which a linear layer makes
 * vectors; the rest is a pre-norm encoder. Tensor names are TransformerLens's.
 */
export function vitPlan(config: VisionConfig): Plan {
  const { nLayer, nHead, nEmbd, nInner, nCtx, channels, patchSize, labels, layerNormEpsilon, qkvBias } = config;
  const headDim = nEmbd / nHead;
  const patchWidth = channels * patchSize[0] * patchSize[1];
  const b = new PlanBuilder();
  const norm = (name: string) => b.layerNorm(name, nEmbd, layerNormEpsilon);

  const projection = 'embeddings.patch_embeddings.projection';
  const weight = b.matrix(`${projection}.weight`, nEmbd, patchWidth, { storedShape: [nEmbd, channels, ...patchSize] });
  const layer = { weight, bias: b.vector(`${projection}.bias`, nEmbd) };
  const patches = b.dense('embed.hook_embed', b.input('pixels', patchWidth), layer);
  const positions = b.matrix('embeddings.position_embeddings', nCtx, nEmbd, { storedShape: [1, nCtx, nEmbd] });
  const places = b.embed('hook_pos_embed', { weight: positions, by: 'position' });
  const others = b.add('embed.hook_tokens', places, prefixTokens(b, config, `${projection}.bias`));
  let x = b.add('hook_full_embed', patches, others);

  const keys = b.source('image', { nHead, headDim, axis: 'rows' });
  for (let layer = 0; layer < nLayer; layer++) {
    const block = `encoder.layer.${layer}`;
    const widths = [nEmbd, nEmbd, nEmbd];
    x = addBlock(b, `blocks.${layer}`, x, {
      norms: [norm(`${block}.layernorm_before`), norm(`${block}.layernorm_after`)],
      attention: {
        qkv: b.layers(`${block}.attention.attention`, ['query', 'key', 'value'], nEmbd, widths, qkvBias),
        out: b.layer(`${block}.attention.output.dense`, nEmbd, nEmbd),
        keys,
      },
      mlp: {
        up: b.layer(`${block}.intermediate.dense`, nEmbd, nInner),
        activation: config.activation,
        down: b.layer(`${block}.output.dense`, nInner, nEmbd),
      },
    });
  }

  const hidden = b.norm('ln_final', x, norm('layernorm'));
  b.alias('hidden', hidden);
  if (labels.length > 0) {
    const selected = b.select('selected', hidden);
    const head = (output: string, name: string) => b.dense(output, selected, b.layer(name, nEmbd, labels.length));
    head('logits', config.distilled ? 'cls_classifier' : 'classifier');
    if (config.distilled) head('distilled', 'distillation_classifier');
  }
  return b.plan({ nCtx, vocabSize: Math.max(1, labels.length) });
}

/**
 * The tokens before the patches, by a row's `segment`: 0 and 1 are the class and distillation token, the last one is nothing, for
 * patches. Such a row has no pixels, and the layer over them gives its bias, which is taken off here.
 */
function prefixTokens(b: PlanBuilder, { nEmbd, nPrefix }: VisionConfig, bias: string): string {
  const names = ['embeddings.cls_token', 'embeddings.distillation_token'].slice(0, nPrefix);
  const weight = b.matrix('embeddings.tokens', nPrefix + 1, nEmbd, {
    computed: {
      from: [{ name: bias, shape: [nEmbd] }, ...names.map((name) => ({ name, shape: [1, 1, nEmbd] }))],
      values: (bias, ...tokens) => {
        const table = new Float32Array((nPrefix + 1) * nEmbd);
        const withoutBias = (value: number, j: number) => value - bias![j]!;
        for (const [i, token] of tokens.entries()) table.set(token.map(withoutBias), i * nEmbd);
        return table;
      },
      adjoint: (gradient) => {
        const tokens = names.map((_, i) => gradient.slice(i * nEmbd, (i + 1) * nEmbd));
        const ofBias = (j: number) => -tokens.reduce((sum, one) => sum + one[j]!, 0);
        return [Float32Array.from({ length: nEmbd }, (_, j) => ofBias(j)), ...tokens];
      },
    },
  });
  return b.embed('embed.hook_prefix', { weight, by: 'segment' });
}

/** What newer files call the parts of a block. */
const renamed: [RegExp, string][] = [
  [/^layers\./, 'encoder.layer.'],
  [/\.attention\.q_proj\./, '.attention.attention.query.'],
  [/\.attention\.k_proj\./, '.attention.attention.key.'],
  [/\.attention\.v_proj\./, '.attention.attention.value.'],
  [/\.attention\.o_proj\./, '.attention.output.dense.'],
  [/\.mlp\.fc1\./, '.intermediate.dense.'],
  [/\.mlp\.fc2\./, '.output.dense.'],
];

export const vit: Family<VisionConfig> = {
  modelTypes: ['vit', 'deit'],
  kind: 'vision',
  title: 'ViT',
  config: readConfig,
  heads: ({ labels }) => (labels.length > 0 ? ['classes'] : []),
  plan: vitPlan,
  nameOf(name) {
    const own = name.replace(/^(vit|deit)\./, '');
    if (own === 'embeddings.mask_token') return undefined;
    return renamed.reduce((found, [from, to]) => found.replace(from, to), own);
  },
  body: /^(embeddings|encoder|layernorm)\./,
  ties: () => [],
};
