// Writes a GPT-2 checkpoint as an ONNX model with a KV cache, named and shaped as transformers.js expects:
//   node bench/onnx.mjs FOLDER OUT --weights f32|int8|q4
// The graph uses ONNX Runtime's fused operators where it has them (GroupQueryAttention, FastGelu,
// SkipLayerNormalization, DynamicQuantizeMatMul, MatMulNBits), and computes only the last position's logits.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { linears, words } from './onnx/formats.mjs';
import { Graph } from './onnx/graph.mjs';
import { openSafetensors, transpose } from './onnx/weights.mjs';

/** GPT-2 (https://github.com/openai/gpt-2/blob/master/src/model.py) over `tensor(name)`. */
function gpt2Graph(config, tensor, weights) {
  const { n_layer: nLayer, n_head: nHead, n_embd: nEmbd, vocab_size: vocab, n_ctx: nCtx } = config;
  const graph = new Graph();
  const vector = (name) => graph.constant(name, 'f32', [tensor(name).data.length], tensor(name).data);
  const epsilon = { epsilon: { float: config.layer_norm_epsilon } };
  const linear = (name, input) => {
    const { shape, data } = tensor(`${name}.weight`);
    const rows = transpose(data, shape[0], shape[1]);
    return linears[weights](graph, name, input, { data: rows, nIn: shape[0], nOut: shape[1] }, vector(`${name}.bias`));
  };
  const norm = (name, input) =>
    graph.node('LayerNormalization', [input, vector(`${name}.weight`), vector(`${name}.bias`)], epsilon);
  /** [normalised sum, sum] of a residual stream and what is added to it. */
  const skipNorm = (name, stream, added) => {
    const outputs = [`${name}.out`, '', '', `${name}.sum`];
    const inputs = [added, stream, vector(`${name}.weight`), vector(`${name}.bias`)];
    graph.fused('SkipLayerNormalization', inputs, { outputs, ...epsilon });
    return [outputs[0], outputs[3]];
  };

  const ids = graph.input('input_ids', 'i64', [1, 'n']);
  const mask = graph.input('attention_mask', 'i64', [1, 'total']);
  const positions = graph.input('position_ids', 'i64', [1, 'n']);
  const number = (name, type, values) =>
    graph.constant(name, type, [values.length], type === 'i64' ? BigInt64Array.from(values) : Int32Array.from(values));
  const [minusOne, axis, one] = [
    number('minusOne', 'i64', [-1n]),
    number('axis', 'i64', [1n]),
    number('one', 'i64', [1n]),
  ];
  const counted = graph.node('ReduceSum', [mask, axis], { keepdims: 0 });
  const lengths = graph.node('Cast', [graph.node('Sub', [counted, one])], { to: 6 });
  const scalar = graph.constant('scalar', 'i64', [], BigInt64Array.of(1n));
  const length = graph.node('Gather', [graph.node('Shape', [mask]), scalar]);
  const total = graph.node('Cast', [length], { to: 6 });

  const { embed, logits } = words(graph, weights, { table: tensor('wte.weight').data, vocab, nEmbd });
  const table = graph.constant('wpe.weight', 'f32', [nCtx, nEmbd], tensor('wpe.weight').data);
  let stream = graph.node('Add', [embed(ids), graph.node('Gather', [table, positions])]);
  let normalised = norm('h.0.ln_1', stream);
  for (let layer = 0; layer < nLayer; layer++) {
    const cache = (kind, part, length) => [`${kind}.${layer}.${part}`, 'f32', [1, nHead, length, nEmbd / nHead]];
    const pasts = ['key', 'value'].map((part) => graph.input(...cache('past_key_values', part, 'past')));
    const presents = ['key', 'value'].map((part) => cache('present', part, 'total'));
    for (const present of presents) graph.output(...present);
    const qkv = linear(`h.${layer}.attn.c_attn`, normalised);
    const heads = { num_heads: nHead, kv_num_heads: nHead };
    const outputs = [`h.${layer}.attn.out`, ...presents.map(([name]) => name)];
    const mixed = graph.fused('GroupQueryAttention', [qkv, '', '', ...pasts, lengths, total], { outputs, ...heads });
    const attended = linear(`h.${layer}.attn.c_proj`, mixed);
    [normalised, stream] = skipNorm(`h.${layer}.ln_2`, stream, attended);
    const hidden = graph.fused('FastGelu', [linear(`h.${layer}.mlp.c_fc`, normalised)]);
    const next = layer + 1 < nLayer ? `h.${layer + 1}.ln_1` : 'ln_f';
    [normalised, stream] = skipNorm(next, stream, linear(`h.${layer}.mlp.c_proj`, hidden));
  }
  const last = graph.node('Reshape', [
    graph.node('Gather', [normalised, minusOne], { axis: 1 }),
    number('rowShape', 'i64', [1n, BigInt(nEmbd)]),
  ]);
  const shape = number('logitShape', 'i64', [1n, 1n, BigInt(vocab)]);
  graph.node('Reshape', [logits(last), shape], { name: 'logits' });
  graph.output('logits', 'f32', [1, 1, vocab]);
  return graph;
}

/** Writes `out` from the checkpoint in `folder`. */
export function writeOnnx(folder, out, weights) {
  if (!Object.hasOwn(linears, weights)) throw new Error(`--weights is ${weights}; expected f32, int8 or q4.`);
  const config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'));
  const { tensor, close } = openSafetensors(join(folder, 'model.safetensors'));
  gpt2Graph(config, tensor, weights).write(out, 'gpt2');
  close();
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const options = { weights: { type: 'string', default: 'f32' } };
  const { values, positionals } = parseArgs({ allowPositionals: true, options });
  if (positionals.length !== 2) throw new Error('node bench/onnx.mjs FOLDER OUT --weights f32|int8|q4');
  writeOnnx(...positionals, values.weights);
}
