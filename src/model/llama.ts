import { PlanBuilder } from '../plan/builder.ts';
import type { Plan } from '../plan/plan.ts';
import { addBlock, chooseWords } from './block.ts';
import type { DecoderConfig, Family } from './family.ts';
import type { Fields } from './fields.ts';
import { type Rotary, readRotary, ropeField, rotaryWeight } from './rope.ts';

/** What a checkpoint of Llama's kind says of itself. */
export interface LlamaConfig extends DecoderConfig {
  modelType: 'llama' | 'mistral' | 'qwen2' | 'qwen3';
  /** Heads of keys and values; each serves several query heads, one after the other. */
  nKeyHead: number;
  headDim: number;
  rmsNormEpsilon: number;
  rotary: Rotary;
  /** Biases of the queries, keys and values, of attention's output, and of the MLP's layers. */
  biases: { qkv: boolean; out: boolean; mlp: boolean };
  /** Each head's queries and keys are normed before they are turned. */
  normsHeads: boolean;
  /** The most of the last keys that a row of each layer sees; undefined for all. */
  windows: (number | undefined)[];
  padTokenId: number | undefined;
}

function readConfig(fields: Fields): LlamaConfig {
  const modelType = fields.get('model_type') as LlamaConfig['modelType'];
  fields.plain();
  const nEmbd = fields.size('hidden_size', 'width');
  const nHead = fields.size('num_attention_heads', 'count');
  const nKeyHead = fields.size('num_key_value_heads', 'count', modelType === 'mistral' ? 8 : nHead);
  if (nHead % nKeyHead !== 0) throw fields.bad('num_attention_heads', `a multiple of the ${nKeyHead} key heads`);
  if (fields.get('head_dim') === undefined && nEmbd % nHead !== 0) {
    throw fields.bad('hidden_size', `a multiple of num_attention_heads, which is ${nHead}`);
  }
  const headDim = fields.size('head_dim', 'width', modelType === 'qwen3' ? 128 : nEmbd / nHead);
  if (headDim % 2 !== 0) throw fields.bad('head_dim', 'an even number');
  const nLayer = fields.size('num_hidden_layers', 'count');
  const vocabSize = fields.size('vocab_size', 'vocabulary');
  const own = (modelType === 'llama' || modelType === 'qwen3') && fields.flag('attention_bias', false);
  const rotary = readRotary(fields, headDim);
  const { name, scaling } = ropeField(fields);
  const share = scaling.partial_rotary_factor ?? fields.get('partial_rotary_factor') ?? 1;
  // Without a scaling these families turn whole heads, whatever the field says.
  if (share !== 1 && (scaling.rope_type ?? scaling.type ?? 'default') !== 'default')
    throw fields.unsupported(name, 'a scaling of whole heads');
  return {
    modelType,
    nLayer,
    nHead,
    nKeyHead,
    headDim,
    nEmbd,
    nInner: fields.size('intermediate_size', 'width'),
    nCtx: fields.size('max_position_embeddings', 'positions', modelType === 'llama' ? 2048 : 32_768),
    vocabSize,
    activation: fields.activation('hidden_act', 'silu'),
    rmsNormEpsilon: fields.fraction('rms_norm_eps', 1e-6),
    rotary,
    biases: {
      qkv: modelType === 'qwen2' || own,
      out: own,
      mlp: modelType === 'llama' && fields.flag('mlp_bias', false),
    },
    normsHeads: modelType === 'qwen3',
    windows: readWindows(fields, modelType, nLayer),
    padTokenId: fields.padId(vocabSize),
    tieWordEmbeddings: fields.flag('tie_word_embeddings', false),
    ...fields.ends(vocabSize, modelType.startsWith('qwen') ? { bos: [], eos: [] } : { bos: [1], eos: [2] }),
  };
}

/** Sliding windows: Mistral's of all layers, Qwen's of those that `layer_types` or `max_window_layers` name, if they are in use. */
function readWindows(fields: Fields, modelType: string, nLayer: number): (number | undefined)[] {
  const isQwen = modelType.startsWith('qwen');
  const isUsed = modelType === 'mistral' || (isQwen && fields.flag('use_sliding_window', false));
  if (!isUsed || fields.isNull('sliding_window')) return Array.from({ length: nLayer }, () => undefined);
  const window = fields.size('sliding_window', 'positions', 4096);
  const types = isQwen ? fields.get('layer_types') : undefined;
  if (Array.isArray(types)) {
    if (types.length !== nLayer) throw fields.bad('layer_types', `a list of ${nLayer} names`);
    return types.map((type) => {
      if (type === 'sliding_attention') return window;
      if (type === 'full_attention') return undefined;
      throw fields.unsupported('layer_types', '"full_attention" and "sliding_attention" alone');
    });
  }
  const first = isQwen ? fields.integer('max_window_layers', 0, 1 << 12, 28) : 0;
  return Array.from({ length: nLayer }, (_, layer) => (layer >= first ? window : undefined));
}

/**
 * Llama (Touvron et al. 2023) and its kin as a plan: pre-norm blocks with RMS norms, rotary positions, fewer key heads than
 * query heads, and a gated MLP. Tensor names are TransformerLens's.
 */
export function llamaPlan(config: LlamaConfig, context = config.nCtx): Plan {
  const { nLayer, nHead, nKeyHead, headDim, nEmbd, nInner, nCtx, vocabSize, biases, rotary } = config;
  const b = new PlanBuilder();
  const rms = (name: string, width = nEmbd) => b.rmsNorm(name, width, config.rmsNormEpsilon);
  const words = b.matrix('embed_tokens.weight', vocabSize, nEmbd);
  const angles = rotaryWeight(b, rotary, Math.min(nCtx, context));
  let x = b.embed('hook_embed', { weight: words, by: 'token', padding: config.padTokenId });
  for (let layer = 0; layer < nLayer; layer++) {
    const name = `layers.${layer}`;
    const attn = `${name}.self_attn`;
    const widths = [nHead * headDim, nKeyHead * headDim, nKeyHead * headDim];
    x = addBlock(b, `blocks.${layer}`, x, {
      norms: [rms(`${name}.input_layernorm`), rms(`${name}.post_attention_layernorm`)],
      attention: {
        qkv: b.layers(attn, ['q_proj', 'k_proj', 'v_proj'], nEmbd, widths, biases.qkv),
        out: b.layer(`${attn}.o_proj`, nHead * headDim, nEmbd, { bias: biases.out }),
        keys: b.source(`cache.${layer}`, { nHead: nKeyHead, headDim, axis: 'context' }),
        window: config.windows[layer],
        rotary: angles,
        ...(config.normsHeads && {
          headNorms: { q: rms(`${attn}.q_norm`, headDim), k: rms(`${attn}.k_norm`, headDim) },
        }),
      },
      mlp: {
        up: b.layers(`${name}.mlp`, ['gate_proj', 'up_proj'], nEmbd, [nInner, nInner], biases.mlp),
        activation: config.activation,
        down: b.layer(`${name}.mlp.down_proj`, nInner, nEmbd, { bias: biases.mlp }),
        isGated: true,
      },
    });
  }
  chooseWords(b, config, x, rms('norm'), [words, 'lm_head.weight']);
  return b.plan({ nCtx, vocabSize });
}

export const llama: Family<LlamaConfig> = {
  modelTypes: ['llama', 'mistral', 'qwen2', 'qwen3'],
  kind: 'decoder',
  title: 'Llama',
  config: readConfig,
  plan: llamaPlan,
  nameOf(name) {
    const own = name.replace(/^model\./, '');
    return own.endsWith('rotary_emb.inv_freq') ? undefined : own;
  },
  body: /^(embed_tokens|layers|norm|lm_head)\./,
  ties: ({ tieWordEmbeddings }) => (tieWordEmbeddings ? [['embed_tokens.weight', 'lm_head.weight']] : []),
};
