import { PlanBuilder } from '../plan/builder.ts';
import type { Activation, Plan } from '../plan/plan.ts';
import { addBlock } from './block.ts';
import type { BaseConfig, Family, Head, Holds } from './family.ts';
import { type Fields, type ProblemType, problemTypes } from './fields.ts';

type ModelType = 'bert' | 'distilbert' | 'roberta' | 'xlm-roberta';

/** What a checkpoint of an encoder says of itself. */
export interface EncoderConfig extends BaseConfig {
  modelType: ModelType;
  nInner: number;
  /** Kinds of text that a token can be of (token types); 0 where there is no such embedding. */
  nSegments: number;
  activation: Activation;
  layerNormEpsilon: number;
  padTokenId: number;
  /** What the model answers; undefined where it gives hidden states alone. */
  head: Head | undefined;
  /** Whether there is a pooler, whose output stands for the whole text. */
  pools: boolean;
  tieWordEmbeddings: boolean;
  /** The output layer of masked words has a bias of its own, beside the head's, which then takes no part. */
  hasOutputBias: boolean;
  /** Names of classes, in order of the logits. */
  labels: string[];
  /** What the classes are: one of them, several at once, or a number to be guessed; undefined where the file is silent. */
  problemType: ProblemType | undefined;
}

/** What files call the parts: those of a block, and of what is before the blocks. */
const names = {
  bert: {
    block: 'encoder.layer',
    attention: ['attention.self', 'query', 'key', 'value'],
    out: 'attention.output.dense',
    norm1: 'attention.output.LayerNorm',
    up: 'intermediate.dense',
    down: 'output.dense',
    norm2: 'output.LayerNorm',
  },
  distilbert: {
    block: 'transformer.layer',
    attention: ['attention', 'q_lin', 'k_lin', 'v_lin'],
    out: 'attention.out_lin',
    norm1: 'sa_layer_norm',
    up: 'ffn.lin1',
    down: 'ffn.lin2',
    norm2: 'output_layer_norm',
  },
} as const;

/** What files call the head of masked words: a layer, its norm, and the output layer with its bias. */
const wordHeads = {
  bert: [
    'cls.predictions.transform.dense',
    'cls.predictions.transform.LayerNorm',
    'cls.predictions.decoder.weight',
    'cls.predictions.bias',
  ],
  distilbert: ['vocab_transform', 'vocab_layer_norm', 'vocab_projector.weight', 'vocab_projector.bias'],
  roberta: ['lm_head.dense', 'lm_head.layer_norm', 'lm_head.decoder.weight', 'lm_head.bias'],
} as const;

/** The output layer's own bias, by the head's: another name of it where the layer is tied to the words. */
const outputBias = (bias: string) => bias.replace(/bias$/, 'decoder.bias');

const styleOf = (type: ModelType) => (type === 'xlm-roberta' ? 'roberta' : type);

/** By the end of a class's name in transformers. */
const headOf: Record<string, Head | undefined> = {
  Model: undefined,
  ForMaskedLM: 'masked-words',
  ForPreTraining: 'masked-words',
  ForSequenceClassification: 'classes',
  ForTokenClassification: 'token-classes',
  ForQuestionAnswering: 'answers',
};

function readConfig(fields: Fields, holds: Holds): EncoderConfig {
  const modelType = fields.get('model_type') as ModelType;
  const isDistil = modelType === 'distilbert';
  fields.plain({
    is_decoder: false,
    position_embedding_type: 'absolute',
    sinusoidal_pos_embds: isDistil ? fields.get('sinusoidal_pos_embds') : undefined, // stored as any other table
  });
  const of = (bert: string, distil: string) => (isDistil ? distil : bert);
  const absent = { nEmbd: 768, nHead: 12 };
  const { nEmbd, nHead } = fields.heads(of('hidden_size', 'dim'), of('num_attention_heads', 'n_heads'), absent);
  const padTokenId = fields.integer('pad_token_id', 0, 1 << 24, styleOf(modelType) === 'roberta' ? 1 : 0);
  const positions = fields.size('max_position_embeddings', 'positions', 512);
  const head = chooseHead(fields, holds, modelType);
  const tieWordEmbeddings = fields.flag('tie_word_embeddings', true);
  return {
    modelType,
    nLayer: fields.size(of('num_hidden_layers', 'n_layers'), 'count', isDistil ? 6 : 12),
    nHead,
    nEmbd,
    nInner: fields.size(of('intermediate_size', 'hidden_dim'), 'width', 3072),
    // RoBERTa's positions begin behind that of the pad token.
    nCtx: styleOf(modelType) === 'roberta' ? positions - padTokenId - 1 : positions,
    vocabSize: fields.size('vocab_size', 'vocabulary', styleOf(modelType) === 'roberta' ? 50265 : 30522),
    nSegments: isDistil ? 0 : fields.size('type_vocab_size', 'count', 2),
    activation: fields.activation(of('hidden_act', 'activation'), 'gelu'),
    layerNormEpsilon: isDistil ? 1e-12 : fields.fraction('layer_norm_eps', 1e-12),
    padTokenId,
    head,
    pools:
      holds('pooler.dense.weight') &&
      (head === undefined || (head === 'classes' && modelType === 'bert') || holds('cls.seq_relationship.weight')),
    tieWordEmbeddings,
    hasOutputBias: !tieWordEmbeddings && holds(outputBias(wordHeads[styleOf(modelType)][3])),
    labels: head === 'classes' || head === 'token-classes' ? fields.labels() : [],
    problemType: fields.oneOf('problem_type', problemTypes),
  };
}

/** The head by the class that the file names, or where it names none, by its tensors. */
function chooseHead(fields: Fields, holds: Holds, modelType: ModelType): Head | undefined {
  for (const name of fields.architectures()) {
    const end = /(?:For[A-Z]\w*|Model|LMHead\w*)$/.exec(name)?.[0] ?? '';
    if (end in headOf) return headOf[end];
    const known = `...${Object.keys(headOf).join(', ...')}`;
    throw fields.unsupported('architectures', `a class of an encoder: ${known}`);
  }
  const [layer] = wordHeads[styleOf(modelType)];
  if (holds(`${layer}.weight`)) return 'masked-words';
  if (holds('qa_outputs.weight')) return 'answers';
  if (holds('classifier.out_proj.weight') || holds('pre_classifier.weight')) return 'classes';
  if (holds('classifier.weight')) return holds('pooler.dense.weight') ? 'classes' : 'token-classes';
  return undefined;
}

/**
 * BERT (Devlin et al. 2018), DistilBERT, RoBERTa and XLM-RoBERTa as a plan: post-norm blocks whose rows see all of their text.
 * Tensor names are those of TransformerLens's HookedEncoder.
 */
export function bertPlan(config: EncoderConfig): Plan {
  const { modelType, nLayer, nHead, nEmbd, nInner, nCtx, vocabSize, nSegments, activation, layerNormEpsilon } = config;
  const style = styleOf(modelType);
  const of = names[style === 'distilbert' ? 'distilbert' : 'bert'];
  const firstPosition = style === 'roberta' ? config.padTokenId + 1 : 0;
  const headDim = nEmbd / nHead;
  const b = new PlanBuilder();
  const norm = (name: string) => b.layerNorm(name, nEmbd, layerNormEpsilon);

  const words = b.matrix('embeddings.word_embeddings.weight', vocabSize, nEmbd);
  const table = b.matrix('embeddings.position_embeddings.weight', nCtx + firstPosition, nEmbd);
  const tokens = b.embed('embed.hook_embed', { weight: words, by: 'token', padding: config.padTokenId });
  let sum = b.add('embed.sum', tokens, b.embed('embed.hook_pos_embed', { weight: table, by: 'position' }));
  if (nSegments > 0) {
    const types = b.matrix('embeddings.token_type_embeddings.weight', nSegments, nEmbd);
    sum = b.add('embed.sum_of_all', sum, b.embed('embed.hook_token_type_embed', { weight: types, by: 'segment' }));
  }
  let x = b.norm('embed.ln', sum, norm('embeddings.LayerNorm'), 'hook_full_embed');

  const keys = b.source('text', { nHead, headDim, axis: 'rows' });
  const [attention, ...qkv] = of.attention;
  for (let layer = 0; layer < nLayer; layer++) {
    const block = `${of.block}.${layer}`;
    x = addBlock(b, `blocks.${layer}`, x, {
      style: 'post',
      attention: {
        qkv: b.layers(`${block}.${attention}`, qkv, nEmbd, [nEmbd, nEmbd, nEmbd]),
        out: b.layer(`${block}.${of.out}`, nEmbd, nEmbd),
        keys,
      },
      mlp: {
        up: b.layer(`${block}.${of.up}`, nEmbd, nInner),
        activation,
        down: b.layer(`${block}.${of.down}`, nInner, nEmbd),
      },
      norms: [norm(`${block}.${of.norm1}`), norm(`${block}.${of.norm2}`)],
    });
  }
  b.alias('hidden', x);
  addHead(b, config, x);
  return b.plan({ nCtx, vocabSize: widthOfHead(config) });
}

/** Numbers that the head gives for a row. */
function widthOfHead({ head, labels, vocabSize }: EncoderConfig): number {
  if (head === 'answers') return 2;
  return head === 'masked-words' || head === undefined ? vocabSize : labels.length;
}

/** The head makes `logits` of the rows that are wanted: a text's first for its class, all for words and tokens. */
function addHead(b: PlanBuilder, config: EncoderConfig, x: string): void {
  const { head, nEmbd, vocabSize, labels, modelType } = config;
  const style = styleOf(modelType);
  const dense = (name: string, nOut: number, input: string, output: string) =>
    b.dense(output, input, b.layer(name, nEmbd, nOut));
  const first = () => b.select('selected', x);
  const pooled = () =>
    b.activate('pooler.hook_pooler_out', 'tanh', dense('pooler.dense', nEmbd, first(), 'pooler.hook_pre'));
  if (head === 'masked-words') {
    const [layer, normName, output, bias] = wordHeads[style];
    // RoBERTa's head has the erf form whatever hidden_act says.
    const kind = style === 'roberta' ? 'gelu' : config.activation;
    const post = b.activate('mlm_head.hook_post', kind, dense(layer, nEmbd, x, 'mlm_head.hook_pre'));
    const normed = b.norm('mlm_head.ln', post, b.layerNorm(normName, nEmbd, config.layerNormEpsilon));
    const words = b.matrix(config.tieWordEmbeddings ? 'embeddings.word_embeddings.weight' : output, vocabSize, nEmbd);
    const layerOut = { weight: words, bias: b.vector(config.hasOutputBias ? outputBias(bias) : bias, vocabSize) };
    b.dense('logits', b.select('selected.words', normed), layerOut);
    if (config.pools) dense('cls.seq_relationship', 2, pooled(), 'nsp');
  } else if (head === 'classes') {
    if (style === 'bert') dense('classifier', labels.length, pooled(), 'logits');
    else {
      const roberta = ['classifier.dense', 'classifier.out_proj', 'tanh'] as const;
      const [before, after, kind] = style === 'roberta' ? roberta : (['pre_classifier', 'classifier', 'relu'] as const);
      const post = b.activate('classifier.hook_post', kind, dense(before, nEmbd, first(), 'classifier.hook_pre'));
      dense(after, labels.length, post, 'logits');
    }
  } else if (head === 'token-classes') {
    dense('classifier', labels.length, first(), 'logits');
  } else if (head === 'answers') {
    dense('qa_outputs', 2, first(), 'logits');
  } else if (config.pools) pooled();
}

/** Buffers that old files hold: positions that count up, and types that are all 0. */
const counting = /^embeddings\.(position_ids|token_type_ids)$/;

export const bert: Family<EncoderConfig> = {
  modelTypes: ['bert', 'distilbert', 'roberta', 'xlm-roberta'],
  kind: 'encoder',
  title: 'BERT',
  config: readConfig,
  heads: ({ head, pools }) => [
    ...(head ? [head] : []),
    ...(head === 'masked-words' && pools ? (['next-sentence'] as const) : []),
  ],
  plan: bertPlan,
  positions(ids, { modelType, padTokenId }) {
    if (styleOf(modelType) !== 'roberta') return ids.map((_, i) => i);
    // RoBERTa counts what is no pad token, from behind that token's own position, which all of these have.
    let last = padTokenId;
    return ids.map((id) => (id === padTokenId ? padTokenId : ++last));
  },
  nameOf(name) {
    const own = name
      .replace(/^(bert|distilbert|roberta)\./, '')
      .replace(/LayerNorm\.gamma$/, 'LayerNorm.weight')
      .replace(/LayerNorm\.beta$/, 'LayerNorm.bias');
    return counting.test(own) ? undefined : own;
  },
  body: /^(embeddings|encoder|transformer)\./,
  ties({ modelType, tieWordEmbeddings }) {
    const [, , output, bias] = wordHeads[styleOf(modelType)];
    const words = ['embeddings.word_embeddings.weight', output];
    return tieWordEmbeddings ? [words, [bias, outputBias(bias)]] : [];
  },
  layerField: ({ modelType }) => (modelType === 'distilbert' ? 'n_layers' : 'num_hidden_layers'),
};
