// BERT and ViT as ONNX models, named and shaped as transformers.js expects, of ONNX Runtime's fused operators.
import { Graph } from './graph.mjs';
import { layers } from './layers.mjs';

export function bertGraph(config, tensor, weights) {
  const { num_hidden_layers: nLayer, num_attention_heads: nHead } = config;
  const graph = new Graph();
  const parts = layers(graph, tensor, { epsilon: config.layer_norm_eps, weights });
  const { table, integers, attention, product, biasOf, norm, addNorm, size, slice } = parts;
  const [ids, mask, types] = ['input_ids', 'attention_mask', 'token_type_ids'].map((name) =>
    graph.input(name, 'i64', ['batch_size', 'sequence_length']),
  );
  const words = graph.node('Gather', [table('embeddings.word_embeddings.weight'), ids]);
  const kinds = graph.node('Gather', [table('embeddings.token_type_embeddings.weight'), types]);
  const places = slice(table('embeddings.position_embeddings.weight'), integers('zero', 0), size(ids, 1), 0);
  const seen = graph.node('Cast', [mask], { to: 6 });
  let x = norm(graph.node('Add', [graph.node('Add', [words, kinds]), places]), 'embeddings.LayerNorm');
  for (let i = 0; i < nLayer; i++) {
    const block = `encoder.layer.${i}`;
    const names = ['query', 'key', 'value'].map((part) => `${block}.attention.self.${part}`);
    const mixed = attention(x, names, biasOf(...names), { num_heads: nHead, mask: seen });
    const out = `${block}.attention.output`;
    [x] = addNorm(x, product(mixed, `${out}.dense`), `${out}.LayerNorm`, biasOf(`${out}.dense`));
    const [up, down] = [`${block}.intermediate.dense`, `${block}.output`];
    const hidden = graph.fused('BiasGelu', [product(x, up), biasOf(up)]);
    [x] = addNorm(x, product(hidden, `${down}.dense`), `${down}.LayerNorm`, biasOf(`${down}.dense`));
  }
  graph.node('Identity', [x], { name: 'last_hidden_state' });
  graph.output('last_hidden_state', 'f32', ['batch_size', 'sequence_length', config.hidden_size]);
  return graph;
}

/** One image at a time. */
export function vitGraph(config, tensor, weights) {
  const { num_hidden_layers: nLayer, num_attention_heads: nHead, hidden_size: nEmbd } = config;
  const { image_size: side, patch_size: patch, num_channels: channels } = config;
  const graph = new Graph();
  const parts = layers(graph, (name) => tensor(`vit.${name}`), { epsilon: config.layer_norm_eps, weights });
  const { table, integers, attention, product, biasOf, norm, addNorm } = parts;
  const pixels = graph.input('pixel_values', 'f32', [1, channels, side, side]);
  const projection = 'embeddings.patch_embeddings.projection';
  const shape = { kernel_shape: [patch, patch], strides: [patch, patch] };
  const grid = graph.node('Conv', [pixels, table(`${projection}.weight`), biasOf(projection)], shape);
  const rows = graph.node('Reshape', [grid, integers('rows', 1, nEmbd, (side / patch) ** 2)]);
  const patches = graph.node('Transpose', [rows], { perm: [0, 2, 1] });
  const all = graph.node('Concat', [table('embeddings.cls_token'), patches], { axis: 1 });
  let x = graph.node('Add', [all, table('embeddings.position_embeddings')]);
  let normed = norm(x, 'encoder.layer.0.layernorm_before');
  // All rows are seen. Without a mask, ONNX Runtime's WebGPU takes another kernel, which software GPUs compute wrongly.
  const count = (side / patch) ** 2 + 1;
  const seen = graph.constant('seen', 'i32', [1, count], new Int32Array(count).fill(1));
  for (let i = 0; i < nLayer; i++) {
    const block = `encoder.layer.${i}`;
    const names = ['query', 'key', 'value'].map((part) => `${block}.attention.attention.${part}`);
    const out = `${block}.attention.output.dense`;
    const mixed = product(attention(normed, names, biasOf(...names), { num_heads: nHead, mask: seen }), out);
    [normed, x] = addNorm(x, mixed, `${block}.layernorm_after`, biasOf(out));
    const [up, down] = [`${block}.intermediate.dense`, `${block}.output.dense`];
    const hidden = graph.fused('BiasGelu', [product(normed, up), biasOf(up)]);
    const next = i + 1 < nLayer ? `encoder.layer.${i + 1}.layernorm_before` : 'layernorm';
    [normed, x] = addNorm(x, product(hidden, down), next, biasOf(down));
  }
  const first = graph.node('Gather', [normed, integers('first', 0)], { axis: 1 });
  const row = graph.node('Reshape', [first, integers('row', 1, nEmbd)]);
  const { shape: stored, data } = tensor('classifier.weight');
  const head = graph.constant('classifier.weight', 'f32', stored, data);
  const bias = graph.constant('classifier.bias', 'f32', [stored[0]], tensor('classifier.bias').data);
  graph.node('Gemm', [row, head, bias], { transB: 1, name: 'logits' });
  graph.output('logits', 'f32', [1, stored[0]]);
  return graph;
}
