import { VitrineError } from '../plan/error.ts';
import type { Activation } from '../plan/plan.ts';
import { show } from '../plan/show.ts';

/** What a GPT-2 checkpoint says of itself, under typed names. */
export interface ModelConfig {
  nLayer: number;
  nHead: number;
  nEmbd: number;
  /** Width of the MLP's hidden layer: n_inner, or 4 n_embd. */
  nInner: number;
  /** The longest context: n_positions. */
  nCtx: number;
  vocabSize: number;
  activation: Activation;
  layerNormEpsilon: number;
  /** Divide attention scores by sqrt(headDim): scale_attn_weights. */
  scaleAttnWeights: boolean;
  /** Divide them by (layer + 1) too: scale_attn_by_inverse_layer_idx. */
  scaleAttnByInverseLayerIdx: boolean;
  /** The output layer is the token embedding: no lm_head.weight. */
  tieWordEmbeddings: boolean;
  /** The id that an empty prompt stands for: the file's, or else the tokenizer's `<|endoftext|>`. */
  bosTokenId: number | null;
  /** Ids that end a text; empty for none. */
  eosTokenIds: number[];
}

/** Largest values that are taken for sizes of a model, far above any real one: beyond them a file is damaged. */
const limits = {
  n_embd: 65_536,
  n_layer: 1_024,
  n_head: 4_096,
  n_inner: 1 << 20,
  n_positions: 1 << 24,
  vocab_size: 1 << 24,
};

const activations = new Map<unknown, Activation>([
  ['gelu_new', 'gelu_new'],
  ['gelu_pytorch_tanh', 'gelu_new'], // the same formula
  ['gelu', 'gelu'],
  ['relu', 'relu'],
  ['silu', 'silu'],
  ['swish', 'silu'], // the same function
]);

/** Settings that change the computation in a way this engine does not follow, with the one value of each that does not. */
const fixedSettings = [
  ['is_encoder_decoder', false],
  ['add_cross_attention', false],
  ['quantization_config', null],
] as const;

/**
 * A Hugging Face GPT-2 `config.json`. Absent optional fields have the defaults of transformers' GPT2Config; `n_ctx`
 * stands in for an absent `n_positions`. Token ids at or above vocab_size can never occur and are left out.
 * `reorder_and_upcast_attn` has no effect on float32. Fields of training and of other tasks' heads are not read.
 * @param json what JSON.parse made of the file
 * @param file its name, for messages
 * @param named what the file calls a field, for messages
 * @throws VitrineError `bad-checkpoint` for a field that is missing or ill-typed, `unsupported-checkpoint` for another
 *   kind of model
 */
export function parseConfig(
  json: unknown,
  file: string,
  named: (field: string) => string = (field) => field,
): ModelConfig {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new VitrineError(
      'bad-checkpoint',
      `${file} holds ${show(json)}; expected an object with the fields of GPT-2.`,
    );
  }
  const fields = new Map(Object.entries(json));
  const field = (name: string): unknown => fields.get(name) ?? undefined; // null is how Python writes "not set"
  const bad = (name: string, expected: string) =>
    new VitrineError('bad-checkpoint', `${named(name)} in ${file} is ${show(fields.get(name))}; expected ${expected}.`);
  const unsupported = (name: string, expected: string) =>
    new VitrineError(
      'unsupported-checkpoint',
      `${named(name)} in ${file} is ${show(fields.get(name))}; expected ${expected}.`,
      {
        hint: 'Vitrine runs models of the GPT-2 family.',
      },
    );

  const size = (name: keyof typeof limits, from: string = name): number => {
    const value = field(from);
    if (!Number.isInteger(value) || (value as number) < 1 || (value as number) > limits[name]) {
      throw bad(from, `an integer from 1 to ${limits[name]}`);
    }
    return value as number;
  };
  const flag = (name: string, absent: boolean): boolean => {
    const value = field(name) ?? absent;
    if (typeof value !== 'boolean') throw bad(name, 'true or false');
    return value;
  };
  const tokenIds = (name: string, vocabSize: number): number[] => {
    if (fields.get(name) === null) return [];
    const value = field(name) ?? 50256;
    const ids: unknown[] = Array.isArray(value) ? value : [value];
    if (!ids.every((id): id is number => Number.isInteger(id) && (id as number) >= 0)) {
      throw bad(name, 'a token id, a list of them, or null');
    }
    return ids.filter((id) => id < vocabSize);
  };

  if ((field('model_type') ?? 'gpt2') !== 'gpt2') throw unsupported('model_type', '"gpt2"');
  for (const [name, value] of fixedSettings) {
    if ((fields.get(name) ?? value) !== value) throw unsupported(name, `${value}`);
  }
  const activation = activations.get(field('activation_function') ?? 'gelu_new');
  if (!activation) throw unsupported('activation_function', [...activations.keys()].join(', '));
  const pruned = field('pruned_heads');
  if (pruned !== undefined && Object.keys(pruned as object).length > 0) throw unsupported('pruned_heads', 'none');

  const nEmbd = size('n_embd');
  const nHead = size('n_head');
  if (nEmbd % nHead !== 0) throw bad('n_embd', `a multiple of ${named('n_head')}, which is ${nHead}`);
  const layerNormEpsilon = field('layer_norm_epsilon') ?? 1e-5;
  if (typeof layerNormEpsilon !== 'number' || !(layerNormEpsilon > 0 && layerNormEpsilon < 1)) {
    throw bad('layer_norm_epsilon', 'a number between 0 and 1');
  }
  const vocabSize = size('vocab_size');
  return {
    nLayer: size('n_layer'),
    nHead,
    nEmbd,
    nInner: field('n_inner') === undefined ? 4 * nEmbd : size('n_inner'),
    nCtx: size('n_positions', field('n_positions') === undefined && field('n_ctx') !== undefined ? 'n_ctx' : undefined),
    vocabSize,
    activation,
    layerNormEpsilon,
    scaleAttnWeights: flag('scale_attn_weights', true),
    scaleAttnByInverseLayerIdx: flag('scale_attn_by_inverse_layer_idx', false),
    tieWordEmbeddings: flag('tie_word_embeddings', true),
    bosTokenId: tokenIds('bos_token_id', vocabSize)[0] ?? null,
    eosTokenIds: tokenIds('eos_token_id', vocabSize),
  };
}
