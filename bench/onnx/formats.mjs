// Layers and word tables of ONNX models by weight format, with ONNX Runtime's fused operators where it has them (MatMulNBits,
// DynamicQuantizeMatMul).
import { int4Blocks, int8Rows, transpose } from './weights.mjs';

/** Adds `input` [1, n, in] · weight [out, in]ᵀ, plus `bias` where there is one, in each format. */
export const linears = {
  f32(graph, name, input, { data, nIn, nOut }, bias) {
    const weight = graph.constant(`${name}.weight`, 'f32', [nIn, nOut], transpose(data, nOut, nIn));
    return plus(graph, graph.node('MatMul', [input, weight]), bias);
  },
  int8(graph, name, input, { data, nIn, nOut }, bias) {
    const { values, scales } = int8Rows(data, nOut, nIn);
    const byColumn = new Int8Array(values.length); // [in, out]
    for (let row = 0; row < nOut; row++) for (let i = 0; i < nIn; i++) byColumn[i * nOut + row] = values[row * nIn + i];
    return graph.fused('DynamicQuantizeMatMul', [
      input,
      graph.constant(`${name}.weight`, 'i8', [nIn, nOut], byColumn),
      graph.constant(`${name}.scale`, 'f32', [nOut], scales),
      '',
      ...(bias ? [bias] : []),
    ]);
  },
  q4: (graph, name, input, { data, nIn, nOut }, bias) => plus(graph, nBits(graph, name, input, data, nIn, nOut), bias),
};

const plus = (graph, product, bias) => (bias ? graph.node('Add', [product, bias]) : product);

/** MatMulNBits of [out, in] weights, computed in int8 where the machine has it (accuracy level 4). */
function nBits(graph, name, input, data, nIn, nOut) {
  const { values, scales } = int4Blocks(data);
  const blocks = nIn / 32;
  const constants = [
    graph.constant(`${name}.weight`, 'u8', [nOut, blocks, 16], values),
    graph.constant(`${name}.scale`, 'f32', [nOut * blocks], scales),
  ];
  const shape = { K: nIn, N: nOut, bits: 4, block_size: 32, accuracy_level: 4 };
  return graph.fused('MatMulNBits', [input, ...constants], shape);
}

/** The word table [vocab, nEmbd], as looked up by the first node and multiplied by the last. */
export function words(graph, weights, { table: data, vocab, nEmbd }) {
  if (weights === 'f32') {
    const table = graph.constant('words.weight', 'f32', [vocab, nEmbd], data);
    return {
      embed: (ids) => graph.node('Gather', [table, ids]),
      logits: (last, bias) => graph.node('Gemm', [last, table, ...(bias ? [bias] : [])], { transB: 1 }),
    };
  }
  const { values, scales } = int8Rows(data, vocab, nEmbd);
  const table = graph.constant('words.rows', 'i8', [vocab, nEmbd], values);
  const scale = graph.constant('words.scales', 'f32', [vocab, 1], scales);
  return {
    embed(ids) {
      const rows = graph.node('Cast', [graph.node('Gather', [table, ids])], { to: 1 });
      return graph.node('Mul', [rows, graph.node('Gather', [scale, ids])]);
    },
    logits: (last, bias) => linears[weights](graph, 'lm_head', last, { data, nIn: nEmbd, nOut: vocab }, bias),
  };
}
