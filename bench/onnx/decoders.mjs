// Llama and Qwen2 as an ONNX model with a KV cache, named and shaped as transformers.js expects, of ONNX Runtime's fused operators
// (GroupQueryAttention, which turns queries and keys, SkipSimplifiedLayerNormalization, QuickGelu), with the last position's logits alone.
import { words } from './formats.mjs';
import { Graph } from './graph.mjs';
import { layers } from './layers.mjs';

/** Cosines or sines of each position's angles: [positions, headDim / 2]. */
function angles(of, { positions, headDim, theta }) {
  const pairs = headDim / 2;
  return Float32Array.from({ length: positions * pairs }, (_, i) =>
    of(Math.floor(i / pairs) * theta ** (-(i % pairs) / pairs)),
  );
}

/** @param tensor gives `{ shape, data }` of a name */
export function llamaGraph(config, tensor, weights) {
  const { num_hidden_layers: nLayer, num_attention_heads: nHead, num_key_value_heads: nKeyHead } = config;
  const { hidden_size: nEmbd, intermediate_size: nInner, vocab_size: vocab } = config;
  const headDim = nEmbd / nHead;
  const graph = new Graph();
  const parts = layers(graph, tensor, { epsilon: config.rms_norm_eps, weights });
  const { integers, biasOf, layerIn, rootNorm, addRootNorm } = parts;
  const hasBias = (names) => config.model_type === 'qwen2' && names.length === 3;
  const linear = (input, ...names) => layerIn(graph, input, names, hasBias(names) ? biasOf(...names) : '');
  const ids = graph.input('input_ids', 'i64', [1, 'n']);
  const mask = graph.input('attention_mask', 'i64', [1, 'total']);
  graph.input('position_ids', 'i64', [1, 'n']);
  const counted = graph.node('ReduceSum', [mask, integers('axis1', 1)], { keepdims: 0 });
  const lengths = graph.node('Cast', [graph.node('Sub', [counted, integers('one', 1)])], { to: 6 });
  const scalar = graph.constant('scalar', 'i64', [], BigInt64Array.of(1n));
  const total = graph.node('Cast', [graph.node('Gather', [graph.node('Shape', [mask]), scalar])], { to: 6 });
  const positions = 1024;
  const table = { positions, headDim, theta: config.rope_theta };
  const [cosines, sines] = [Math.cos, Math.sin].map((of) =>
    graph.constant(of.name, 'f32', [positions, headDim / 2], angles(of, table)),
  );

  const { embed, logits } = words(graph, weights, { table: tensor('model.embed_tokens.weight').data, vocab, nEmbd });
  let stream = embed(ids);
  let normalised = rootNorm(stream, 'model.layers.0.input_layernorm');
  for (let layer = 0; layer < nLayer; layer++) {
    const block = `model.layers.${layer}`;
    const cache = (kind, part, length) => [`${kind}.${layer}.${part}`, 'f32', [1, nKeyHead, length, headDim]];
    const pasts = ['key', 'value'].map((part) => graph.input(...cache('past_key_values', part, 'past')));
    const presents = ['key', 'value'].map((part) => cache('present', part, 'total'));
    for (const present of presents) graph.output(...present);
    const qkv = linear(normalised, ...['q', 'k', 'v'].map((part) => `${block}.self_attn.${part}_proj`));
    const outputs = [`${block}.mixed`, ...presents.map(([name]) => name)];
    const inputs = [qkv, '', '', ...pasts, lengths, total, cosines, sines];
    const heads = { num_heads: nHead, kv_num_heads: nKeyHead, do_rotary: 1 };
    const mixed = graph.fused('GroupQueryAttention', inputs, { outputs, ...heads });
    const attended = linear(mixed, `${block}.self_attn.o_proj`);
    [normalised, stream] = addRootNorm(stream, attended, `${block}.post_attention_layernorm`);
    const both = linear(normalised, `${block}.mlp.gate_proj`, `${block}.mlp.up_proj`);
    const halves = [`${block}.gate`, `${block}.up`];
    graph.node('Split', [both, integers('halves', nInner, nInner)], { axis: -1, outputs: halves });
    // x * sigmoid(x)
    const gate = graph.fused('QuickGelu', [halves[0]], { alpha: { float: 1 } });
    const down = linear(graph.node('Mul', [gate, halves[1]]), `${block}.mlp.down_proj`);
    const next = layer + 1 < nLayer ? `model.layers.${layer + 1}.input_layernorm` : 'model.norm';
    [normalised, stream] = addRootNorm(stream, down, next);
  }
  const last = graph.node('Gather', [normalised, integers('minusOne', -1)], { axis: 1 });
  const row = graph.node('Reshape', [last, integers('rowShape', 1, nEmbd)]);
  graph.node('Reshape', [logits(row), integers('logitShape', 1, 1, vocab)], { name: 'logits' });
  graph.output('logits', 'f32', [1, 1, vocab]);
  return graph;
}
