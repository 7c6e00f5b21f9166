// The shapes that the families are measured in, as seeded checkpoints, and what is run of each.

/** A tensor as tools/seeded.mjs takes it. */
const matrix = (name, nOut, nIn, gain = 1) => ({ name, shape: [nOut, nIn], spread: gain / Math.sqrt(nIn) });
const vector = (name, length) => ({ name, shape: [length], spread: 0.05 });
const layer = (name, nOut, nIn, gain) => [matrix(`${name}.weight`, nOut, nIn, gain), vector(`${name}.bias`, nOut)];
const gain = (name, length) => ({ name: `${name}.weight`, shape: [length], spread: 0.1, centre: 1 });
const norm = (name, length) => [gain(name, length), vector(`${name}.bias`, length)];
const each = (count, make) => Array.from({ length: count }, (_, i) => make(i)).flat();

function bert({ width, layers, heads, inner, words }) {
  const config = {
    ...{ architectures: ['BertModel'], model_type: 'bert', hidden_size: width, num_hidden_layers: layers },
    ...{ num_attention_heads: heads, intermediate_size: inner, vocab_size: words, type_vocab_size: 2 },
    ...{ max_position_embeddings: 512, hidden_act: 'gelu', layer_norm_eps: 1e-12, pad_token_id: 0 },
  };
  const table = (name, rows) => ({ name: `embeddings.${name}.weight`, shape: [rows, width], spread: 0.05 });
  const tensors = [
    ...[table('word_embeddings', words), table('position_embeddings', 512), table('token_type_embeddings', 2)],
    ...norm('embeddings.LayerNorm', width),
    ...each(layers, (i) => {
      const block = `encoder.layer.${i}`;
      return [
        ...['query', 'key', 'value'].flatMap((part) => layer(`${block}.attention.self.${part}`, width, width)),
        ...layer(`${block}.attention.output.dense`, width, width),
        ...norm(`${block}.attention.output.LayerNorm`, width),
        ...layer(`${block}.intermediate.dense`, inner, width),
        ...layer(`${block}.output.dense`, width, inner),
        ...norm(`${block}.output.LayerNorm`, width),
      ];
    }),
  ];
  return { config, tensors };
}

function vit({ width, layers, heads, classes = 1000 }) {
  const labels = Object.fromEntries(Array.from({ length: classes }, (_, i) => [i, `class ${i}`]));
  const config = {
    ...{ architectures: ['ViTForImageClassification'], model_type: 'vit', hidden_size: width },
    ...{ num_hidden_layers: layers, num_attention_heads: heads, intermediate_size: 4 * width, hidden_act: 'gelu' },
    ...{ image_size: 224, patch_size: 16, num_channels: 3, qkv_bias: true, layer_norm_eps: 1e-12 },
    ...{ id2label: labels, label2id: Object.fromEntries(Object.entries(labels).map(([i, name]) => [name, Number(i)])) },
  };
  const projection = 'vit.embeddings.patch_embeddings.projection';
  const tensors = [
    { name: 'vit.embeddings.cls_token', shape: [1, 1, width], spread: 0.5 },
    { name: 'vit.embeddings.position_embeddings', shape: [1, 197, width], spread: 0.5 },
    { name: `${projection}.weight`, shape: [width, 3, 16, 16], spread: 1 / Math.sqrt(768) },
    vector(`${projection}.bias`, width),
    ...each(layers, (i) => {
      const block = `vit.encoder.layer.${i}`;
      return [
        ...norm(`${block}.layernorm_before`, width),
        ...['query', 'key', 'value'].flatMap((part) => layer(`${block}.attention.attention.${part}`, width, width)),
        ...layer(`${block}.attention.output.dense`, width, width),
        ...norm(`${block}.layernorm_after`, width),
        ...layer(`${block}.intermediate.dense`, 4 * width, width),
        ...layer(`${block}.output.dense`, width, 4 * width),
      ];
    }),
    ...norm('vit.layernorm', width),
    ...layer('classifier', classes, width),
  ];
  return { config, tensors };
}

function marian({ width, layers, heads, inner, words }) {
  const ids = { pad_token_id: words - 1, decoder_start_token_id: words - 1, eos_token_id: 0 };
  const config = {
    ...{ architectures: ['MarianMTModel'], model_type: 'marian', is_encoder_decoder: true, d_model: width },
    ...{ encoder_layers: layers, decoder_layers: layers, encoder_ffn_dim: inner, decoder_ffn_dim: inner },
    ...{ encoder_attention_heads: heads, decoder_attention_heads: heads, max_position_embeddings: 512 },
    ...{ vocab_size: words, decoder_vocab_size: words, activation_function: 'swish', scale_embedding: true },
    ...{ static_position_embeddings: true, share_encoder_decoder_embeddings: true, tie_word_embeddings: true, ...ids },
  };
  const attention = (name) => ['q', 'k', 'v', 'out'].flatMap((part) => layer(`${name}.${part}_proj`, width, width));
  const block = (name, attentions) =>
    [
      ...attentions.flatMap((one) => [...attention(`${name}.${one}`), ...norm(`${name}.${one}_layer_norm`, width)]),
      ...[
        layer(`${name}.fc1`, inner, width),
        layer(`${name}.fc2`, width, inner),
        norm(`${name}.final_layer_norm`, width),
      ],
    ].flat();
  const tensors = [
    { name: 'model.shared.weight', shape: [words, width], spread: 1 / Math.sqrt(width) },
    ...each(layers, (i) => block(`model.encoder.layers.${i}`, ['self_attn'])),
    ...each(layers, (i) => block(`model.decoder.layers.${i}`, ['self_attn', 'encoder_attn'])),
    { name: 'final_logits_bias', shape: [1, words], spread: 0.1 },
  ];
  return { config, tensors, generation: { max_length: 512, ...ids } };
}

function t5({ width, layers, heads, inner, words }) {
  const ids = { pad_token_id: 0, decoder_start_token_id: 0, eos_token_id: 1 };
  const config = {
    ...{ architectures: ['T5ForConditionalGeneration'], model_type: 't5', is_encoder_decoder: true, d_model: width },
    ...{ d_kv: 64, d_ff: inner, num_layers: layers, num_decoder_layers: layers, num_heads: heads, vocab_size: words },
    ...{ n_positions: 512, feed_forward_proj: 'relu', layer_norm_epsilon: 1e-6, tie_word_embeddings: true, ...ids },
    ...{ relative_attention_num_buckets: 32, relative_attention_max_distance: 128 },
  };
  // Scores are not scaled, so the weights of queries are small.
  const attention = (name) => [
    matrix(`${name}.q.weight`, 64 * heads, width, 1 / 8),
    ...['k', 'v'].map((part) => matrix(`${name}.${part}.weight`, 64 * heads, width)),
    matrix(`${name}.o.weight`, width, 64 * heads),
  ];
  const stack = (part, attentions) => [
    { name: `${part}.block.0.layer.0.SelfAttention.relative_attention_bias.weight`, shape: [32, heads], spread: 0.5 },
    ...each(layers, (i) => {
      const block = `${part}.block.${i}.layer`;
      const mlp = `${block}.${attentions.length}`;
      return [
        ...attentions.flatMap((one, at) => [
          ...attention(`${block}.${at}.${one}`),
          gain(`${block}.${at}.layer_norm`, width),
        ]),
        ...[
          matrix(`${mlp}.DenseReluDense.wi.weight`, inner, width),
          matrix(`${mlp}.DenseReluDense.wo.weight`, width, inner),
        ],
        gain(`${mlp}.layer_norm`, width),
      ];
    }),
    gain(`${part}.final_layer_norm`, width),
  ];
  const tensors = [
    { name: 'shared.weight', shape: [words, width], spread: 1 },
    ...stack('encoder', ['SelfAttention']),
    ...stack('decoder', ['SelfAttention', 'EncDecAttention']),
  ];
  return { config, tensors, generation: { max_length: 512, ...ids } };
}

/** 64 lengths from 8 to 128, each about as often, in no order. */
const mixed = Array.from({ length: 64 }, (_, i) => 8 + Math.round((((i * 37) % 64) * 120) / 63));

const texts = (vocabulary) => [
  { name: '1 text of 16', lengths: [16], vocabulary },
  { name: '1 text of 128', lengths: [128], vocabulary },
  { name: '64 texts of 8 to 128', lengths: mixed, vocabulary },
];
const translations = (vocabulary) => [
  { name: '32 -> 32, greedy', lengths: [32], tokens: 32, beams: 1, vocabulary },
  { name: '32 -> 32, 4 beams', lengths: [32], tokens: 32, beams: 4, vocabulary },
];
const image = [{ name: '224 x 224', shape: [3, 224, 224] }];

/** By name: the kind says what is called, `make` the seeded checkpoint, `cases` what is run. */
export const families = {
  'all-MiniLM-L6': {
    kind: 'ids',
    make: () => bert({ width: 384, layers: 6, heads: 12, inner: 1536, words: 30522 }),
    cases: texts(30522),
  },
  'opus-mt': {
    kind: 'translation',
    make: () => marian({ width: 512, layers: 6, heads: 8, inner: 2048, words: 58101 }),
    cases: translations(58100),
  },
  't5-small': {
    kind: 'translation',
    make: () => t5({ width: 512, layers: 6, heads: 8, inner: 2048, words: 32128 }),
    cases: translations(32100),
  },
  'vit-tiny': { kind: 'image', make: () => vit({ width: 192, layers: 12, heads: 3 }), cases: image },
  'vit-base': { kind: 'image', make: () => vit({ width: 768, layers: 12, heads: 12 }), cases: image },
  // The weights that people use, from text to vectors, where `npm run models` has fetched them.
  'all-MiniLM-L6-v2': { kind: 'texts', published: 'sentence-transformers/all-MiniLM-L6-v2', cases: texts() },
};
