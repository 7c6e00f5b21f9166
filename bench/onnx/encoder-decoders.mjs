// Marian and T5 as the two ONNX models that transformers.js expects of an encoder-decoder, of ONNX Runtime's fused operators.
// The decoder makes keys and values of the source in its first run and is given them in all others; it computes one token a run.
import { words } from './formats.mjs';
import { Graph } from './graph.mjs';
import { layers } from './layers.mjs';

/** Sines in the first half of a row, cosines in the second. */
function sinusoids(positions, width) {
  const half = width / 2;
  return Float32Array.from({ length: positions * width }, (_, i) => {
    const [position, column] = [Math.floor(i / width), i % width];
    const angle = position / 10000 ** ((2 * (column % half)) / width);
    return column < half ? Math.sin(angle) : Math.cos(angle);
  });
}

const textsOf = (axis) => ['batch_size', axis];

/** Name, type and shape of keys or values that a decoder is given (`past_key_values`) or gives (`present`). */
const kept = ({ nHead, headDim }, kind, layer, of, part, length) => [
  `${kind}.${layer}.${of}.${part}`,
  'f32',
  ['batch_size', nHead, length, headDim],
];

/**
 * Keys and values of the source: `memory.LAYER.key` and `.value`. The first run makes them, and gives them to the caller, who gives
 * them to all others.
 * @param keysOf adds what makes them of what the encoder made, for a layer and a part, to the graph of the first run
 */
function addMemory(graph, { integers }, shape, keysOf) {
  const encoded = graph.input('encoder_hidden_states', 'f32', [...textsOf('encoder_sequence_length'), shape.nEmbd]);
  const isCached = graph.input('use_cache_branch', 'bool', [1]);
  const { nLayer, nHead, headDim } = shape;
  const [first, later] = [new Graph('first.'), new Graph('later.')];
  const [used, given] = [[], []];
  for (const layer of Array(nLayer).keys()) {
    for (const part of ['key', 'value']) {
      const length = 'encoder_sequence_length_out';
      const past = graph.input(...kept(shape, 'past_key_values', layer, 'encoder', part, length));
      const [present, type, dims] = kept(shape, 'present', layer, 'encoder', part, length);
      graph.output(present, type, dims);
      const name = `memory.${layer}.${part}`;
      const split = first.node('Reshape', [
        keysOf(first, encoded, layer, part),
        integers('heads', 0, -1, nHead, headDim),
      ]);
      first.node('Transpose', [split], { perm: [0, 2, 1, 3], name: `first.${name}` });
      first.node('Identity', [`first.${name}`], { name: `first.${present}` });
      later.node('Identity', [past], { name: `later.${name}` });
      later.constant(`later.${present}`, 'f32', [0, nHead, 1, headDim], new Float32Array()); // the caller has them
      used.push(name);
      given.push(present);
    }
  }
  const outputs = [...used, ...given];
  for (const name of outputs) {
    for (const [branch, which] of [
      [first, 'first'],
      [later, 'later'],
    ]) {
      branch.output(`${which}.${name}`, 'f32', [`${which} ${name}`, nHead, 'length', headDim]);
    }
  }
  graph.node('If', [isCached], { outputs, then_branch: later, else_branch: first });
}

/** What a decoder is given: the ids, how many were before them and are with them, and two ways to attend. */
function decoderInputs(graph, parts, shape, keysOf) {
  const { integers, size } = parts;
  const { nLayer, nHead } = shape;
  const ids = graph.input('input_ids', 'i64', textsOf('decoder_sequence_length'));
  addMemory(graph, parts, shape, keysOf);
  const own = Array.from({ length: nLayer }, (_, layer) =>
    ['key', 'value'].map((part) =>
      graph.input(...kept(shape, 'past_key_values', layer, 'decoder', part, 'past_length')),
    ),
  );
  const past = graph.node('Gather', [graph.node('Shape', [own[0][0]]), integers('axis2', 2)]);
  const total = graph.node('Add', [past, size(ids, 1)]);
  const others = graph.node('Cast', [graph.node('Sub', [total, integers('one', 1)])], { to: 6 });
  const lengths = graph.node('Expand', [others, size(ids, 0)]);
  const whole = graph.node('Cast', [graph.node('Reshape', [total, integers('scalar')])], { to: 6 });
  return {
    ...{ ids, past, total },
    /** To the text so far, from queries, keys and values in one. */
    attend(layer, qkv, options = {}, bias) {
      const presents = ['key', 'value'].map((part) => kept(shape, 'present', layer, 'decoder', part, 'total_length'));
      for (const present of presents) graph.output(...present);
      const outputs = [`own_${layer}`, ...presents.map(([name]) => name)];
      const inputs = [qkv, '', '', ...own[layer], lengths, whole, ...(bias ? ['', '', '', bias] : [])];
      return graph.fused('GroupQueryAttention', inputs, { outputs, num_heads: nHead, kv_num_heads: nHead, ...options });
    },
    attendSource(layer, q, options = {}) {
      const inputs = [q, `memory.${layer}.key`, `memory.${layer}.value`];
      return graph.fused('MultiHeadAttention', inputs, { num_heads: nHead, ...options });
    },
  };
}

/** The logits of the one row that each text has. */
function logits(graph, { integers }, x, tied, { nEmbd, vocab, bias }) {
  const rows = graph.node('Reshape', [x, integers('flat', -1, nEmbd)]);
  const all = tied.logits(rows, bias);
  graph.node('Reshape', [all, integers('logitShape', -1, 1, vocab)], { name: 'logits' });
  graph.output('logits', 'f32', ['batch_size', 1, vocab]);
}

function encoderOutput(graph, x, nEmbd) {
  graph.node('Identity', [x], { name: 'last_hidden_state' });
  graph.output('last_hidden_state', 'f32', [...textsOf('encoder_sequence_length'), nEmbd]);
  return graph;
}

const threeOf = (name, [q, k, v]) => [q, k, v].map((part) => `${name}.${part}`);

/** @returns `{ encoder, decoder }` */
export function marianGraphs(config, tensor, weights) {
  const { d_model: nEmbd, vocab_size: vocab, max_position_embeddings: nCtx } = config;
  const part = (nHead) => {
    const graph = new Graph();
    const own = (name) => tensor(name.startsWith('final') ? name : `model.${name}`);
    const parts = layers(graph, own, { epsilon: 1e-5, weights });
    const { constant, slice, biasOf, product, linear, addNorm } = parts;
    const tied = words(graph, weights, { table: own('shared.weight').data, vocab, nEmbd });
    return {
      ...{ graph, parts, nHead, tied },
      embed(ids, start, end) {
        const scale = constant('scale', 'f32', [], () => Float32Array.of(Math.sqrt(nEmbd)));
        const looked = graph.node('Mul', [tied.embed(ids), scale]);
        const places = constant('positions', 'f32', [nCtx, nEmbd], () => sinusoids(nCtx, nEmbd));
        return graph.node('Add', [looked, slice(places, start, end, 0)]);
      },
      output: (x, mixed, layer, attention) =>
        addNorm(
          x,
          product(mixed, `${layer}.${attention}.out_proj`),
          `${layer}.${attention}_layer_norm`,
          biasOf(`${layer}.${attention}.out_proj`),
        )[0],
      mlp(x, layer) {
        const hidden = graph.fused('QuickGelu', [linear(x, `${layer}.fc1`)], { alpha: { float: 1 } });
        return addNorm(x, product(hidden, `${layer}.fc2`), `${layer}.final_layer_norm`, biasOf(`${layer}.fc2`))[0];
      },
    };
  };
  return {
    encoder: marianEncoder(config, part(config.encoder_attention_heads)),
    decoder: marianDecoder(config, { vocab, nEmbd }, part(config.decoder_attention_heads)),
  };
}

function marianEncoder({ encoder_layers: nLayer, d_model: nEmbd }, { graph, parts, nHead, embed, output, mlp }) {
  const { integers, attention, biasOf, size } = parts;
  const ids = graph.input('input_ids', 'i64', textsOf('encoder_sequence_length'));
  let x = embed(ids, integers('zero', 0), size(ids, 1));
  for (let i = 0; i < nLayer; i++) {
    const layer = `encoder.layers.${i}`;
    const qkv = threeOf(`${layer}.self_attn`, ['q_proj', 'k_proj', 'v_proj']);
    const mixed = attention(x, qkv, biasOf(...qkv), { num_heads: nHead });
    x = mlp(output(x, mixed, layer, 'self_attn'), layer);
  }
  return encoderOutput(graph, x, nEmbd);
}

function marianDecoder(
  { decoder_layers: nLayer },
  { vocab, nEmbd },
  { graph, parts, nHead, tied, embed, output, mlp },
) {
  const { vector, linear, layerIn, biasOf } = parts;
  const keysOf = (branch, encoded, layer, part) => {
    const name = `decoder.layers.${layer}.encoder_attn.${part[0]}_proj`;
    return layerIn(branch, encoded, [name], biasOf(name));
  };
  const inputs = decoderInputs(graph, parts, { nLayer, nHead, headDim: nEmbd / nHead, nEmbd }, keysOf);
  let x = embed(inputs.ids, inputs.past, inputs.total);
  for (let i = 0; i < nLayer; i++) {
    const layer = `decoder.layers.${i}`;
    const qkv = linear(x, ...threeOf(`${layer}.self_attn`, ['q_proj', 'k_proj', 'v_proj']));
    x = output(x, inputs.attend(i, qkv), layer, 'self_attn');
    x = output(x, inputs.attendSource(i, linear(x, `${layer}.encoder_attn.q_proj`)), layer, 'encoder_attn');
    x = mlp(x, layer);
  }
  const bias = vector('final_logits_bias');
  logits(graph, parts, x, tied, { nEmbd, vocab, bias });
  return graph;
}

/**
 * T5 with ReLU and tied words.
 * @param bucketOf (distance, isBidirectional) -> row of the table of biases
 */
export function t5Graphs(config, tensor, weights, bucketOf) {
  const made = [config, tensor, weights, bucketOf];
  return { encoder: t5Encoder(...made), decoder: t5Decoder(...made) };
}

/** The most tokens of a text that its biases are written down for. */
const longest = 128;

function t5Parts(config, graph, { tensor, weights, bucketOf }, part) {
  const { num_heads: nHead, layer_norm_epsilon: epsilon, vocab_size: vocab, d_model: nEmbd } = config;
  const parts = layers(graph, tensor, { epsilon, weights });
  const { constant, product, slice } = parts;
  const { data } = tensor(`${part}.block.0.layer.0.SelfAttention.relative_attention_bias.weight`);
  const biases = () =>
    Float32Array.from({ length: nHead * longest * longest }, (_, i) => {
      const [head, q, k] = [Math.floor(i / longest ** 2), Math.floor(i / longest) % longest, i % longest];
      return data[bucketOf(k - q, part === 'encoder') * nHead + head];
    });
  return {
    ...parts,
    tied: words(graph, weights, { table: tensor('shared.weight').data, vocab, nEmbd }),
    /** [1, nHead, rows, total] of queries from `start` to `end` of a text. */
    distances(start, end) {
      const all = constant('distances', 'f32', [1, nHead, longest, longest], biases);
      return slice(slice(all, start, end, 2), parts.integers('zero', 0), end, 3);
    },
    mlp(normed, layer) {
      const hidden = graph.node('Relu', [product(normed, `${layer}.DenseReluDense.wi`)]);
      return product(hidden, `${layer}.DenseReluDense.wo`);
    },
  };
}

const unscaled = { scale: { float: 1 } };

function t5Encoder(config, tensor, weights, bucketOf) {
  const { num_layers: nLayer, num_heads: nHead, d_model: nEmbd } = config;
  const graph = new Graph();
  const parts = t5Parts(config, graph, { tensor, weights, bucketOf }, 'encoder');
  const { tied, attention, integers, size, distances, rootNorm, addRootNorm, product, mlp } = parts;
  const ids = graph.input('input_ids', 'i64', textsOf('encoder_sequence_length'));
  const bias = distances(integers('zero', 0), size(ids, 1));
  const width = 3 * nHead * config.d_kv;
  const none = parts.constant('none', 'f32', [width], () => new Float32Array(width)); // the operator wants biases
  let x = tied.embed(ids);
  let normed = rootNorm(x, 'encoder.block.0.layer.0.layer_norm');
  for (let i = 0; i < nLayer; i++) {
    const layer = `encoder.block.${i}.layer`;
    const qkv = threeOf(`${layer}.0.SelfAttention`, ['q', 'k', 'v']);
    const mixed = attention(normed, qkv, none, { num_heads: nHead, distances: bias, ...unscaled });
    [normed, x] = addRootNorm(x, product(mixed, `${layer}.0.SelfAttention.o`), `${layer}.1.layer_norm`);
    const next = i + 1 < nLayer ? `encoder.block.${i + 1}.layer.0.layer_norm` : 'encoder.final_layer_norm';
    [normed, x] = addRootNorm(x, mlp(normed, `${layer}.1`), next);
  }
  return encoderOutput(graph, normed, nEmbd);
}

function t5Decoder(config, tensor, weights, bucketOf) {
  const { num_decoder_layers: nLayer, num_heads: nHead, d_model: nEmbd, d_kv: headDim, vocab_size: vocab } = config;
  const graph = new Graph();
  const parts = t5Parts(config, graph, { tensor, weights, bucketOf }, 'decoder');
  const { tied, constant, layerIn, distances, rootNorm, addRootNorm, product, mlp } = parts;
  const keysOf = (branch, encoded, layer, part) =>
    layerIn(branch, encoded, [`decoder.block.${layer}.layer.1.EncDecAttention.${part[0]}`]);
  const inputs = decoderInputs(graph, parts, { nLayer, nHead, headDim, nEmbd }, keysOf);
  const bias = distances(inputs.past, inputs.total);
  let x = tied.embed(inputs.ids);
  let normed = rootNorm(x, 'decoder.block.0.layer.0.layer_norm');
  for (let i = 0; i < nLayer; i++) {
    const layer = `decoder.block.${i}.layer`;
    const qkv = product(normed, ...threeOf(`${layer}.0.SelfAttention`, ['q', 'k', 'v']));
    const mixed = product(inputs.attend(i, qkv, unscaled, bias), `${layer}.0.SelfAttention.o`);
    [normed, x] = addRootNorm(x, mixed, `${layer}.1.layer_norm`);
    const cross = `${layer}.1.EncDecAttention`;
    const read = inputs.attendSource(i, product(normed, `${cross}.q`), unscaled);
    [normed, x] = addRootNorm(x, product(read, `${cross}.o`), `${layer}.2.layer_norm`);
    const next = i + 1 < nLayer ? `decoder.block.${i + 1}.layer.0.layer_norm` : 'decoder.final_layer_norm';
    [normed, x] = addRootNorm(x, mlp(normed, `${layer}.2`), next);
  }
  const scale = constant('scale', 'f32', [], () => Float32Array.of(nEmbd ** -0.5));
  logits(graph, parts, graph.node('Mul', [normed, scale]), tied, { nEmbd, vocab });
  return graph;
}
