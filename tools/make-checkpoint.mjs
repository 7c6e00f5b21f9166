// Writes a seeded random checkpoint in GPT-2's shape, with residual channels in the thousands as trained GPT-2 has:
//   node tools/make-checkpoint.mjs [FOLDER] --layers 12 --embd 768 --heads 12 --vocab 50257 --ctx 1024 --seed 1 --dtype f32
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { runnerImport } from 'vite';
import { writeSeeded } from './seeded.mjs';

const root = join(import.meta.dirname, '..');
const text = (value) => ({ type: 'string', default: value });
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    ...{ layers: text('12'), embd: text('768'), heads: text('12'), vocab: text('50257'), ctx: text('1024') },
    ...{ seed: text('1'), dtype: text('f32') },
  },
});
const size = (name) => {
  const value = Number(values[name]);
  if (!Number.isInteger(value) || value < 1)
    throw new Error(`--${name} wants a positive integer, not ${values[name]}.`);
  return value;
};
const [nLayer, nEmbd, nHead, vocabSize, nCtx] = ['layers', 'embd', 'heads', 'vocab', 'ctx'].map(size);
const seed = size('seed');
const half = values.dtype === 'f16';
if (nEmbd % nHead !== 0) throw new Error(`--embd is ${nEmbd}, no multiple of --heads ${nHead}.`);
if (!half && values.dtype !== 'f32') throw new Error(`--dtype is ${values.dtype}; expected f32 or f16.`);
const folder = positionals[0] ?? join(root, `.cache/gpt2-${nLayer}x${nEmbd}-${values.dtype}-${seed}`);
const { module: formats } = await runnerImport(join(root, 'src/plan/half.ts'));

// Channels that are far larger than the rest: `sink` at position 0, `constant` everywhere, `wild` by token.
const [sink, constant, wild] = [0.43, 0.07, 0.69].map((part) => Math.floor(part * nEmbd));
const outliers = [sink, constant, wild];
const atSink = 3000;
const everywhere = -260;
const byToken = 170;
/**
 * A layer norm's weight, so that the ordinary channels leave it with a spread of about 1: what the outliers make of its
 * divisor, over what the blocks before it have added up (measured: 0.3 of variance each).
 */
const normWeight = (layer) =>
  layer === 0 ? 1 : (0.8 * Math.abs(everywhere)) / Math.sqrt(nEmbd) / Math.sqrt(0.3 * layer);

/** Tensors in file order: name, shape, spread, and what is added to or put into the random values. */
const tensors = [];
const add = (name, shape, spread, extra = {}) => tensors.push({ name, shape, spread, ...extra });

const norm = (name, centre) => {
  const put = outliers.map((channel) => [channel, 0.02]);
  add(`${name}.weight`, [nEmbd], centre / 5, { centre, put });
  add(`${name}.bias`, [nEmbd], 0.05);
};
const conv1d = (name, nIn, nOut, gain, weightPut = [], biasPut = []) => {
  add(`${name}.weight`, [nIn, nOut], gain / Math.sqrt(nIn), { put: weightPut });
  add(`${name}.bias`, [nOut], 0.1, { put: biasPut });
};

add('wte.weight', [vocabSize, nEmbd], 0.1);
add('wpe.weight', [nCtx, nEmbd], 0.1, { put: [[sink, atSink]] });
for (let layer = 0; layer < nLayer; layer++) {
  const first = layer === 0;
  norm(`h.${layer}.ln_1`, normWeight(layer));
  conv1d(`h.${layer}.attn.c_attn`, nEmbd, 3 * nEmbd, 1.4);
  conv1d(`h.${layer}.attn.c_proj`, nEmbd, nEmbd, 0.3);
  norm(`h.${layer}.ln_2`, normWeight(layer));
  conv1d(`h.${layer}.mlp.c_fc`, nEmbd, 4 * nEmbd, 1);
  // One hidden unit of the first block drives the channel that depends on the token.
  const drive = first ? [[wild, byToken]] : [];
  conv1d(`h.${layer}.mlp.c_proj`, 4 * nEmbd, nEmbd, 0.8, drive, first ? [[constant, everywhere]] : []);
}
norm('ln_f', normWeight(nLayer));

const begun = performance.now();
const config = {
  architectures: ['GPT2LMHeadModel'],
  model_type: 'gpt2',
  activation_function: 'gelu_new',
  vocab_size: vocabSize,
  n_positions: nCtx,
  n_ctx: nCtx,
  n_embd: nEmbd,
  n_layer: nLayer,
  n_head: nHead,
  layer_norm_epsilon: 1e-5,
  bos_token_id: vocabSize - 1,
  eos_token_id: vocabSize - 1,
};
const total = writeSeeded(folder, config, tensors, { seed, ...(half && { toHalf: formats.halfFromFloat }) });
console.log(`${folder}: ${(total / 1e6).toFixed(0)} MB in ${((performance.now() - begun) / 1000).toFixed(1)} s`);
