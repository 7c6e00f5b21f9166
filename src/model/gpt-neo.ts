import { PlanBuilder } from '../plan/builder.ts';
import type { Plan } from '../plan/plan.ts';
import { addBlock, chooseWords } from './block.ts';
import type { DecoderConfig, Family } from './family.ts';
import type { Fields } from './fields.ts';

/** What a checkpoint of GPT-Neo's kind (TinyStories) or of OPT's says of itself. */
export interface GptNeoConfig extends DecoderConfig {
  modelType: 'gpt_neo' | 'opt';
  layerNormEpsilon: number;
  /** The most of the last keys that a row of each layer sees; undefined for all. */
  windows: (number | undefined)[];
  padTokenId: number | undefined;
  /** Whether layers have biases, and norms weights. */
  biased: boolean;
}

function readNeo(fields: Fields): GptNeoConfig {
  fields.plain();
  const { nEmbd, nHead } = fields.heads('hidden_size', 'num_heads');
  const nLayer = fields.size('num_layers', 'count');
  const vocabSize = fields.size('vocab_size', 'vocabulary');
  const window = fields.size('window_size', 'positions', 256);
  return {
    modelType: 'gpt_neo',
    nLayer,
    nHead,
    nEmbd,
    nInner: fields.size('intermediate_size', 'width', 4 * nEmbd),
    nCtx: fields.size('max_position_embeddings', 'positions', 2048),
    vocabSize,
    activation: fields.activation('activation_function', 'gelu_new'),
    layerNormEpsilon: fields.fraction('layer_norm_epsilon', 1e-5),
    padTokenId: undefined,
    windows: kindsOf(fields, nLayer).map((kind) => (kind === 'local' ? window : undefined)),
    biased: true,
    tieWordEmbeddings: fields.flag('tie_word_embeddings', true),
    ...fields.ends(vocabSize, { bos: [50256], eos: [50256] }),
  };
}

/** `attention_types`, [[['global', 'local'], 12]]: kinds of layers, and how often they come. */
function kindsOf(fields: Fields, nLayer: number): string[] {
  const listed = fields.get('attention_layers');
  const types = fields.get('attention_types') ?? [[['global', 'local'], 12]];
  const isRun = (run: unknown): run is [string[], number] =>
    Array.isArray(run) &&
    Array.isArray(run[0]) &&
    Number.isInteger(run[1]) &&
    (run[1] as number) * run[0].length <= 4096;
  const expanded =
    Array.isArray(types) && types.every(isRun)
      ? types.flatMap(([kinds, times]) => Array.from({ length: times }, () => kinds).flat())
      : undefined;
  const kinds = Array.isArray(listed) ? (listed as unknown[]) : expanded;
  if (kinds?.length === nLayer && kinds.every((kind) => kind === 'global' || kind === 'local'))
    return kinds as string[];
  throw fields.bad('attention_types', `"global" or "local" for each of ${nLayer} layers`);
}

function readOpt(fields: Fields): GptNeoConfig {
  fields.plain({
    do_layer_norm_before: true,
    _remove_final_layer_norm: false,
    layer_norm_elementwise_affine: true,
  });
  const { nEmbd, nHead } = fields.heads('hidden_size', 'num_attention_heads', { nEmbd: 768, nHead: 12 });
  const narrow = fields.get('word_embed_proj_dim') ?? nEmbd;
  if (narrow !== nEmbd) throw fields.unsupported('word_embed_proj_dim', `hidden_size, ${nEmbd}`);
  const nLayer = fields.size('num_hidden_layers', 'count', 12);
  const vocabSize = fields.size('vocab_size', 'vocabulary', 50272);
  return {
    modelType: 'opt',
    nLayer,
    nHead,
    nEmbd,
    nInner: fields.size('ffn_dim', 'width', 3072),
    nCtx: fields.size('max_position_embeddings', 'positions', 2048),
    vocabSize,
    activation: fields.activation('activation_function', 'relu'),
    layerNormEpsilon: 1e-5,
    windows: Array.from({ length: nLayer }, () => undefined),
    padTokenId: fields.tokenIds('pad_token_id', [1], vocabSize)[0],
    biased: fields.flag('enable_bias', true),
    tieWordEmbeddings: fields.flag('tie_word_embeddings', true),
    ...fields.ends(vocabSize, { bos: [2], eos: [2] }),
  };
}

/** What files call the parts. */
const names = {
  gpt_neo: {
    words: 'wte',
    positions: 'wpe',
    block: 'h',
    attention: 'attn.attention',
    out: 'attn.attention.out_proj',
    norm1: 'ln_1',
    norm2: 'ln_2',
    up: 'mlp.c_fc',
    down: 'mlp.c_proj',
    final: 'ln_f',
    firstPosition: 0,
  },
  opt: {
    words: 'embed_tokens',
    positions: 'embed_positions',
    block: 'layers',
    attention: 'self_attn',
    out: 'self_attn.out_proj',
    norm1: 'self_attn_layer_norm',
    norm2: 'final_layer_norm',
    up: 'fc1',
    down: 'fc2',
    final: 'final_layer_norm',
    firstPosition: 2,
  },
} as const;

/** GPT-Neo (Black et al. 2021), whose scores are not scaled and some of whose layers see a window, and OPT (Zhang et al. 2022). */
export function gptNeoPlan(config: GptNeoConfig): Plan {
  const { modelType, nLayer, nHead, nEmbd, nInner, nCtx, vocabSize, layerNormEpsilon: epsilon, biased } = config;
  const of = names[modelType];
  const headDim = nEmbd / nHead;
  const b = new PlanBuilder();
  const norm = (name: string) => b.layerNorm(name, nEmbd, epsilon);
  const layer = (name: string, nIn: number, nOut: number) => b.layer(name, nIn, nOut, { bias: biased });
  const words = b.matrix(`${of.words}.weight`, vocabSize, nEmbd);
  const table = b.matrix(`${of.positions}.weight`, nCtx + of.firstPosition, nEmbd);
  const tokens = b.embed('hook_embed', { weight: words, by: 'token', padding: config.padTokenId });
  const positions = b.embed('hook_pos_embed', { weight: table, by: 'position', first: of.firstPosition });
  let x = b.add('blocks.0.hook_resid_pre', tokens, positions);
  const isOpt = modelType === 'opt';
  for (let index = 0; index < nLayer; index++) {
    const name = `${of.block}.${index}`;
    const widths = [nEmbd, nEmbd, nEmbd];
    x = addBlock(b, `blocks.${index}`, x, {
      norms: [norm(`${name}.${of.norm1}`), norm(`${name}.${of.norm2}`)],
      attention: {
        qkv: b.layers(`${name}.${of.attention}`, ['q_proj', 'k_proj', 'v_proj'], nEmbd, widths, isOpt && biased),
        out: layer(`${name}.${of.out}`, nEmbd, nEmbd),
        keys: b.source(`cache.${index}`, { nHead, headDim, axis: 'context' }),
        scale: isOpt ? undefined : 1,
        window: config.windows[index],
      },
      mlp: {
        up: layer(`${name}.${of.up}`, nEmbd, nInner),
        activation: config.activation,
        down: layer(`${name}.${of.down}`, nInner, nEmbd),
      },
    });
  }
  chooseWords(b, config, x, norm(of.final), [words, 'lm_head.weight']);
  return b.plan({ nCtx, vocabSize });
}

const shared = { kind: 'decoder', plan: gptNeoPlan } as const;

export const gptNeo: Family<GptNeoConfig> = {
  ...shared,
  modelTypes: ['gpt_neo'],
  title: 'GPT-Neo',
  config: readNeo,
  nameOf(name) {
    const own = name.replace(/^transformer\./, '');
    return /\.attn\.attention\.(bias|masked_bias)$/.test(own) ? undefined : own;
  },
  body: /^(wte|wpe|h|ln_f|lm_head)\./,
  ties: ({ tieWordEmbeddings }) => (tieWordEmbeddings ? [['wte.weight', 'lm_head.weight']] : []),
  layerField: () => 'num_layers',
};

export const opt: Family<GptNeoConfig> = {
  ...shared,
  modelTypes: ['opt'],
  title: 'OPT',
  config: readOpt,
  nameOf: (name) => name.replace(/^model\./, '').replace(/^decoder\./, ''),
  body: /^(embed_tokens|embed_positions|layers|final_layer_norm|lm_head|project_in|project_out)\./,
  ties: ({ tieWordEmbeddings }) => (tieWordEmbeddings ? [['embed_tokens.weight', 'lm_head.weight']] : []),
};
