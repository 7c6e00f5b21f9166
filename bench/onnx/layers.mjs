// What the graphs of all families are made of. Weights are read as Hugging Face stores them, [out, in], and multiplied as
// ONNX does, [in, out].
import { linears } from './formats.mjs';
import { transpose } from './weights.mjs';

/**
 * @param graph takes the nodes
 * @param tensor gives `{ shape, data }` of a name
 * @param options.weights how layers keep theirs: a name of `linears`
 */
export function layers(graph, tensor, { epsilon, weights = 'f32' }) {
  const made = new Set();
  /** A constant that may be asked for several times. */
  const constant = (name, type, shape, values) => {
    if (made.has(name)) return name;
    made.add(name);
    return graph.constant(name, type, shape, values());
  };
  const table = (name) => {
    const { shape, data } = tensor(name);
    return constant(name, 'f32', shape, () => data);
  };
  const integers = (name, ...values) =>
    constant(name, 'i64', [values.length], () => BigInt64Array.from(values, BigInt));
  const joined = (tensors) => {
    const whole = new Float32Array(tensors.reduce((sum, { data }) => sum + data.length, 0));
    let at = 0;
    for (const { data } of tensors) {
      whole.set(data, at);
      at += data.length;
    }
    return whole;
  };
  /** The weights of one or more layers over the same input, one below the other: [out, in]. */
  const matrix = (names) => {
    const parts = names.map((name) => tensor(`${name}.weight`));
    const nOut = parts.reduce((sum, { shape }) => sum + shape[0], 0);
    return { data: joined(parts), nIn: parts[0].shape[1], nOut };
  };
  const vector = (...names) => {
    const parts = names.map((name) => tensor(name));
    const length = parts.reduce((sum, { data }) => sum + data.length, 0);
    return constant(names.join('+'), 'f32', [length], () => joined(parts));
  };
  const biasOf = (...names) => vector(...names.map((name) => `${name}.bias`));
  /** A layer, or several side by side, in `of`: the graph or a branch of it. */
  const layerIn = (of, x, names, bias) => linears[weights](of, names.join('+'), x, matrix(names), bias);
  const small = { epsilon: { float: epsilon } };
  let sums = 0;
  return {
    constant,
    table,
    integers,
    vector,
    biasOf,
    layerIn,
    product: (x, ...names) => layerIn(graph, x, names),
    linear: (x, ...names) => layerIn(graph, x, names, biasOf(...names)),
    /**
     * Of all rows to all: queries, keys and values of the layers `names`, with their `bias`. `mask`: int32 [batch, n]; `distances` are added to scores.
     */
    attention(x, names, bias, { mask = '', distances = '', ...options }) {
      if (weights === 'f32') {
        const { data, nIn, nOut } = matrix(names);
        const weight = graph.constant(`${names.join('+')}.weight`, 'f32', [nIn, nOut], transpose(data, nOut, nIn));
        return graph.fused('Attention', [x, weight, bias, mask, '', distances], options);
      }
      const outputs = names.map((name) => `${name}.made`);
      graph.node('Split', [layerIn(graph, x, names, bias)], { axis: -1, outputs });
      return graph.fused('MultiHeadAttention', [...outputs, '', mask, distances], options);
    },
    norm: (x, name) => graph.node('LayerNormalization', [x, vector(`${name}.weight`), biasOf(name)], small),
    /** [normalised sum, sum] of a stream and what a layer without its bias adds to it. */
    addNorm(stream, added, name, bias) {
      const outputs = [`addNorm_${++sums}`, '', '', `addNorm_${sums}.sum`];
      const inputs = [added, stream, vector(`${name}.weight`), biasOf(name), ...(bias ? [bias] : [])];
      graph.fused('SkipLayerNormalization', inputs, { outputs, ...small });
      return [outputs[0], outputs[3]];
    },
    /** By root mean square. */
    rootNorm: (x, name) =>
      graph.node('SimplifiedLayerNormalization', [x, vector(`${name}.weight`)], { ...small, axis: -1, stash_type: 1 }),
    addRootNorm(stream, added, name) {
      const outputs = [`addNorm_${++sums}`, '', '', `addNorm_${sums}.sum`];
      graph.fused('SkipSimplifiedLayerNormalization', [added, stream, vector(`${name}.weight`)], { outputs, ...small });
      return [outputs[0], outputs[3]];
    },
    /** The size of an axis, [1]. */
    size(x, axis) {
      return graph.node('Gather', [graph.node('Shape', [x]), integers(`axis${axis}`, axis)]);
    },
    /** Rows from `start` to `end` (each [1]) of an axis of a table. */
    slice: (x, start, end, axis) => graph.node('Slice', [x, start, end, integers(`axis${axis}`, axis)]),
  };
}
