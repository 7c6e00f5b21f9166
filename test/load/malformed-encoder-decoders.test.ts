import { describe, expect, test } from 'vitest';
import { openCheckpoint } from '../../src/load/open.ts';
import { type ErrorCode, VitrineError } from '../../src/plan/error.ts';
import { loadEncoderDecoder } from '../../src/run/load-encoder-decoder.ts';
import { familyCheckpoint } from '../model/families.ts';
import { bad, extra, unsupported, without, zeros } from './break-checkpoint.ts';
import { encodeSafetensors, files, type TinyCheckpoint } from './tiny-checkpoint.ts';

type Change = (parts: TinyCheckpoint & { generation: Record<string, unknown> }) => unknown;
type Case = [name: string, code: ErrorCode, message: string | RegExp, change: Change];

const config =
  (fields: Record<string, unknown>): Change =>
  (parts) =>
    Object.assign(parts.config, fields);
const generation =
  (fields: Record<string, unknown>): Change =>
  (parts) =>
    Object.assign(parts.generation, fields);

/** Of any family, by what its files call things. */
const common = (width: string, layers: string, heads: string): Case[] => [
  ['no model_type', unsupported, 'model_type in config.json is missing', ({ config }) => delete config.model_type],
  [
    'a model_type that is none',
    unsupported,
    'model_type in config.json is "m2m_100"',
    config({ model_type: 'm2m_100' }),
  ],
  ['umt5, which is another', unsupported, 'model_type in config.json is "umt5"', config({ model_type: 'umt5' })],
  ['another head', unsupported, 'architectures', config({ architectures: ['BartForSequenceClassification'] })],
  ['an encoder alone', unsupported, 'architectures', config({ architectures: ['T5EncoderModel'] })],
  ['a decoder alone', unsupported, 'is_decoder in config.json is true', config({ is_decoder: true })],
  ['no encoder', unsupported, 'is_encoder_decoder in config.json is false', config({ is_encoder_decoder: false })],
  ['quantised', unsupported, 'quantization_config', config({ quantization_config: { bits: 4 } })],
  ['width 0', bad, `${width} in config.json is 0`, config({ [width]: 0 })],
  ['width as text', bad, `${width} in config.json is "32"`, config({ [width]: '32' })],
  ['layers negative', bad, `${layers} in config.json is -1`, config({ [layers]: -1 })],
  ['a layer too many', bad, 'lacks the tensor', config({ [layers]: 3 })],
  [
    'a layer too few',
    bad,
    `but ${layers === 'encoder_layers' ? 'encoder_layers' : 'num_layers'} in config.json is 1`,
    config({ [layers]: 1 }),
  ],
  ['heads as a fraction', bad, `${heads} in config.json is 2.5`, config({ [heads]: 2.5 })],
  ['vocabulary too small', bad, 'shape', config({ vocab_size: 100, decoder_vocab_size: 100 })],
  ['tie as text', bad, 'tie_word_embeddings in config.json is "yes"', config({ tie_word_embeddings: 'yes' })],
  [
    'a start token as text',
    bad,
    'decoder_start_token_id in config.json is "<s>"',
    config({ decoder_start_token_id: '<s>' }),
  ],
  ['generation_config: beams 0', bad, 'num_beams in generation_config.json is 0', generation({ num_beams: 0 })],
  [
    'generation_config: early_stopping never',
    unsupported,
    'early_stopping in generation_config.json is "never"',
    generation({ early_stopping: 'never' }),
  ],
  [
    'generation_config: groups of beams',
    unsupported,
    'num_beam_groups in generation_config.json is 2',
    generation({ num_beam_groups: 2 }),
  ],
  ['generation_config: contrastive search', unsupported, 'penalty_alpha', generation({ penalty_alpha: 0.6 })],
  ['generation_config: bad words that are no lists', bad, 'bad_words_ids', generation({ bad_words_ids: [5] })],
  [
    'generation_config: a temperature of 0',
    bad,
    'temperature in generation_config.json is 0; expected a number above 0.',
    generation({ do_sample: true, temperature: 0 }),
  ],
  [
    'generation_config: a typical_p of 0',
    bad,
    'typical_p in generation_config.json is 0; expected a number above 0 up to 1.',
    generation({ do_sample: true, typical_p: 0 }),
  ],
  ['generation_config: a length as text', bad, 'max_length', generation({ max_length: 'long' })],
  [
    'an adapter',
    unsupported,
    /adapter|changes/,
    ({ tensors }) => {
      tensors.clear();
      tensors.set('base_model.model.model.encoder.layers.0.fc1.lora_A.weight', zeros(4, 4));
    },
  ],
];

const marian: Case[] = [
  ...common('d_model', 'encoder_layers', 'encoder_attention_heads'),
  [
    'heads that do not divide',
    bad,
    'decoder_attention_heads in config.json is 5; expected a divisor',
    config({ decoder_attention_heads: 5 }),
  ],
  [
    'an unknown activation',
    unsupported,
    'activation_function in config.json is "mish"',
    config({ activation_function: 'mish' }),
  ],
  ['norms before, which no Marian has', unsupported, 'normalize_before', config({ normalize_before: true })],
  ['a last norm, which no Marian has', unsupported, 'add_final_layer_norm', config({ add_final_layer_norm: true })],
  [
    'learned positions, which no Marian has',
    unsupported,
    'static_position_embeddings',
    config({ static_position_embeddings: false }),
  ],
  ['scale_embedding as text', bad, 'scale_embedding', config({ scale_embedding: 'no' })],
  ['positions 0', bad, 'max_position_embeddings', config({ max_position_embeddings: 0 })],
  ['no words', bad, 'lacks the tensor shared.weight', without('model.shared.weight')],
  [
    'no bias of a query',
    bad,
    'lacks the tensor decoder.layers.1.encoder_attn.q_proj.bias',
    without('model.decoder.layers.1.encoder_attn.q_proj.bias'),
  ],
  ['words of another width', bad, 'has the shape', extra('model.shared.weight', zeros(276, 31))],
  ['a bias of another shape', bad, 'final_logits_bias', extra('final_logits_bias', zeros(276))],
  ['a norm too many', unsupported, 'encoder.layer_norm.weight', extra('model.encoder.layer_norm.weight', zeros(32))],
  [
    'a layer norm of the embedding',
    unsupported,
    'layernorm_embedding',
    extra('model.encoder.layernorm_embedding.weight', zeros(32)),
  ],
  [
    'whole numbers as weights',
    unsupported,
    'is stored as I64',
    extra('model.encoder.layers.0.fc1.bias', { dtype: 'I64', shape: [70], bytes: new Uint8Array(560) }),
  ],
  ['both spellings of a name', bad, 'holds both', extra('shared.weight', zeros(276, 32))],
];

const t5: Case[] = [
  ...common('d_model', 'num_layers', 'num_heads'),
  [
    'an unknown activation',
    unsupported,
    'feed_forward_proj in config.json is "gated-mish"',
    ({ config }) => {
      delete config.dense_act_fn;
      config.feed_forward_proj = 'gated-mish';
    },
  ],
  ['an activation that is no word', unsupported, 'feed_forward_proj', config({ feed_forward_proj: 7 })],
  ['an unknown dense_act_fn', unsupported, 'dense_act_fn in config.json is "tan"', config({ dense_act_fn: 'tan' })],
  ['is_gated_act as text', bad, 'is_gated_act', config({ is_gated_act: 'no' })],
  ['gated, without its second layer', bad, 'lacks the tensor', config({ is_gated_act: true })],
  ['epsilon 0', bad, 'layer_norm_epsilon in config.json is 0', config({ layer_norm_epsilon: 0 })],
  [
    'an odd number of buckets',
    bad,
    'relative_attention_num_buckets in config.json is 31',
    config({ relative_attention_num_buckets: 31 }),
  ],
  ['other buckets than stored', bad, 'relative_attention_bias.weight', config({ relative_attention_num_buckets: 16 })],
  [
    'a distance within the buckets',
    bad,
    'relative_attention_max_distance in config.json is 8',
    config({ relative_attention_max_distance: 8 }),
  ],
  ['heads of another width', bad, 'has the shape', config({ d_kv: 12 })],
  ['scale_decoder_outputs as a number', bad, 'scale_decoder_outputs', config({ scale_decoder_outputs: 1 })],
  ['no words', bad, 'lacks the tensor shared.weight', without('shared.weight')],
  [
    'no table of distances',
    bad,
    'lacks the tensor encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight',
    without('encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight'),
  ],
  ['no last norm', bad, 'lacks the tensor decoder.final_layer_norm.weight', without('decoder.final_layer_norm.weight')],
  [
    'a bias, which no T5 has',
    unsupported,
    'layer_norm.bias',
    extra('encoder.block.0.layer.0.layer_norm.bias', zeros(36)),
  ],
  [
    'a table in another block',
    unsupported,
    'block.1',
    extra('decoder.block.1.layer.0.SelfAttention.relative_attention_bias.weight', zeros(32, 3)),
  ],
];

describe.each([
  ['marian-relu', marian],
  ['t5-v1.0', t5],
] as const)('%s, malformed', (folder, cases) => {
  const filesOf = async (change: Change): Promise<File[]> => {
    const parts = { ...(await familyCheckpoint(folder)), generation: { max_length: 20 } };
    change(parts);
    return files({
      'config.json': JSON.stringify(parts.config),
      'generation_config.json': JSON.stringify(parts.generation),
      'model.safetensors': encodeSafetensors(parts.tensors),
    });
  };

  test('what they are made from is sound, and there are enough', async () => {
    const model = await loadEncoderDecoder(await filesOf(() => {}), { device: 'cpu' });
    expect((await model.complete([5, 4, 3])).ids.length).toBeGreaterThan(0);
    model.dispose();
    expect(cases.length).toBeGreaterThan(38);
  });

  test.each(cases)('%s', async (_, code, message, change) => {
    let weights = 0;
    const onProgress = ({ stage, loaded }: { stage: string; loaded: number }) => {
      if (stage === 'weights') weights = loaded;
    };
    const loading = loadEncoderDecoder(await filesOf(change), { device: 'cpu', onProgress });
    const error = await loading.then(
      () => undefined,
      (cause: unknown) => cause,
    );
    expect(error).toBeInstanceOf(VitrineError);
    expect((error as VitrineError).message).toMatch(message);
    expect((error as VitrineError).code).toBe(code);
    expect(weights).toBe(0); // no weight was read, so that none was kept
  });
});

describe('a checkpoint is read as published', () => {
  /** Logits of a checkpoint that is changed in ways that mean the same. */
  const logitsOf = async (folder: string, change: (parts: TinyCheckpoint) => void = () => {}) => {
    const parts = await familyCheckpoint(folder);
    change(parts);
    const contents = {
      'config.json': JSON.stringify(parts.config),
      'model.safetensors': encodeSafetensors(parts.tensors),
    };
    const model = await loadEncoderDecoder(files(contents), { device: 'cpu' });
    const { logits } = await model.run([5, 9, 33, 4], [7, 8, 9]);
    model.dispose();
    return logits.data;
  };
  const rename = ({ tensors }: TinyCheckpoint, from: string, to: string) => {
    const tensor = tensors.get(from)!;
    tensors.delete(from);
    tensors.set(to, tensor);
  };
  const ends = ['lm_head.weight', 'model.encoder.embed_tokens.weight', 'model.decoder.embed_tokens.weight'];

  test.each(['marian-relu', 'bart'])('%s: ties from any end, copies, buffers, names without prefix', async (folder) => {
    const expected = await logitsOf(folder);
    for (const end of ends) {
      expect(await logitsOf(folder, (parts) => rename(parts, 'model.shared.weight', end)), end).toEqual(expected);
    }
    const everything = await logitsOf(folder, ({ tensors }) => {
      for (const end of ends) tensors.set(end, tensors.get('model.shared.weight')!);
      if (folder === 'marian-relu') {
        for (const part of ['encoder', 'decoder']) tensors.set(`model.${part}.embed_positions.weight`, zeros(64, 32));
      }
      tensors.set('model.encoder.version', zeros(1));
    });
    expect(everything).toEqual(expected);
    const bare = await logitsOf(folder, (parts) => {
      for (const name of [...parts.tensors.keys()]) rename(parts, name, name.replace(/^model\./, ''));
    });
    expect(bare).toEqual(expected);
    const unbiased = await logitsOf(folder, ({ tensors }) => tensors.delete('final_logits_bias'));
    expect(unbiased).not.toEqual(expected);
  });

  test('Marian with words of each side, and an output layer of its own', async () => {
    const expected = await logitsOf('marian-relu');
    const apart = await logitsOf('marian-relu', ({ config, tensors }) => {
      const words = tensors.get('model.shared.weight')!;
      tensors.delete('model.shared.weight');
      // The source has twelve words more than the target.
      const more = new Uint8Array(words.bytes.length + 12 * 64);
      more.set(words.bytes);
      tensors.set('model.encoder.embed_tokens.weight', { ...words, shape: [288, 32], bytes: more });
      tensors.set('model.decoder.embed_tokens.weight', words);
      Object.assign(config, { share_encoder_decoder_embeddings: false, vocab_size: 288, decoder_vocab_size: 276 });
    });
    expect(apart).toEqual(expected);
    const untied = await logitsOf('marian-relu', ({ config, tensors }) => {
      tensors.set('lm_head.weight', zeros(276, 32));
      config.tie_word_embeddings = false;
    });
    expect(untied.subarray(0, 276)).toEqual(untied.subarray(276, 552)); // the bias alone
  });

  test.each(['t5-v1.0', 't5-v1.1'])(
    '%s: ties, copies, and a table that cross-attention does not have',
    async (folder) => {
      const expected = await logitsOf(folder);
      const old = 'decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight';
      const everything = await logitsOf(folder, ({ tensors }) => {
        for (const part of ['encoder', 'decoder'])
          tensors.set(`${part}.embed_tokens.weight`, tensors.get('shared.weight')!);
        tensors.set(old, zeros(32, 3));
      });
      expect(everything).toEqual(expected);
      const end = await logitsOf(folder, (parts) => rename(parts, 'shared.weight', 'decoder.embed_tokens.weight'));
      expect(end).toEqual(expected);
      const { config } = await familyCheckpoint(folder);
      const told = await logitsOf(folder, ({ config }) => {
        config.scale_decoder_outputs = config.tie_word_embeddings ?? true;
        delete config.is_gated_act;
        delete config.dense_act_fn;
      });
      expect(told).toEqual(expected);
      const scaled = await logitsOf(folder, ({ config: fields }) => {
        fields.scale_decoder_outputs = !(config.tie_word_embeddings ?? true);
      });
      const factor = folder === 't5-v1.0' ? 36 ** 0.5 : 40 ** -0.5;
      expect(scaled[5]! / expected[5]!).toBeCloseTo(factor, 4);
    },
  );

  test('a T5 whose output layer is one of its own has words of its own', async () => {
    const wordless = logitsOf('t5-v1.1', without('shared.weight'));
    await expect(wordless).rejects.toThrow('lacks the tensor shared.weight');
  });

  test('mBART and Pegasus: norms before, a last norm, learned positions or sinusoids', async () => {
    const open = async (type: string, change: (parts: TinyCheckpoint) => void) => {
      const parts = await familyCheckpoint('bart');
      Object.assign(parts.config, { model_type: type, architectures: undefined });
      const norm = parts.tensors.get('model.encoder.layernorm_embedding.weight')!;
      for (const part of ['encoder', 'decoder']) {
        parts.tensors.set(`model.${part}.layer_norm.weight`, norm);
        parts.tensors.set(`model.${part}.layer_norm.bias`, norm);
      }
      change(parts);
      const contents = {
        'config.json': JSON.stringify(parts.config),
        'model.safetensors': encodeSafetensors(parts.tensors),
      };
      const checkpoint = await openCheckpoint(files(contents), { kind: 'encoder-decoder' });
      const model = await loadEncoderDecoder(files(contents), { device: 'cpu' });
      const { logits } = await model.run([5, 9, 33, 4], [7, 8, 9]);
      expect(logits.data.every(Number.isFinite)).toBe(true);
      expect(model.tensors().map(({ name }) => name)).toContain('decoder_final_ln.hook_normalized');
      expect(model.tensors().map(({ name }) => name)).not.toContain('encoder.0.hook_normalized_resid_post');
      model.dispose();
      return checkpoint.family.plan(checkpoint.config);
    };
    const mbart = await open('mbart', () => {});
    expect(mbart.tensors.has('encoder.embed.ln.hook_scale')).toBe(true);
    const pegasus = await open('pegasus', ({ tensors }) => {
      for (const name of [...tensors.keys()])
        if (/layernorm_embedding|embed_positions/.test(name)) tensors.delete(name);
    });
    expect(pegasus.tensors.has('encoder.embed.ln.hook_scale')).toBe(false);
    expect(pegasus.weights.some(({ computed }) => computed)).toBe(true);
  });
});
