// The models of `npm run bench:families`, in .cache/families: a folder each, with what Vitrine reads and, in onnx/, what
// transformers.js reads. Made once.
import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runnerImport } from 'vite';
import { writeSeeded } from '../../tools/seeded.mjs';
import { marianGraphs, t5Graphs } from '../onnx/encoder-decoders.mjs';
import { bertGraph, vitGraph } from '../onnx/encoders.mjs';
import { openSafetensors } from '../onnx/weights.mjs';
import { families } from './shapes.mjs';

const root = join(import.meta.dirname, '../..');

/** Files by name -> graphs of a checkpoint, by its model_type. */
const exporters = {
  bert: (...made) => ({ model: bertGraph(...made) }),
  vit: (...made) => ({ model: vitGraph(...made) }),
  marian: (...made) => named(marianGraphs(...made)),
  async t5(config, tensor, weights) {
    const { module } = await runnerImport(join(root, 'src/model/t5.ts'));
    const buckets = {
      nBuckets: config.relative_attention_num_buckets,
      maxDistance: config.relative_attention_max_distance,
    };
    return named(t5Graphs(config, tensor, weights, (distance, isBoth) => module.bucketOf(distance, isBoth, buckets)));
  },
};

const named = ({ encoder, decoder }) => ({ encoder_model: encoder, decoder_model_merged: decoder });

/** What the peer calls a format, and its files' names end with. */
const formats = {
  f32: { dtype: 'fp32', weights: 'f32', end: '' },
  q8: { dtype: 'int8', weights: 'int8', end: '_int8' },
};
export const dtypeOf = (format) => formats[format].dtype;

/** @returns the path of a family's folder from the root, with ONNX files of a format in it; undefined where its published weights are not there */
export async function folderOf(name, format) {
  const path = `.cache/families/${name}`;
  const folder = join(root, path);
  const { make, published } = families[name];
  if (!existsSync(join(folder, 'model.safetensors'))) {
    if (published) {
      const fetched = join(root, 'models', published, 'resolve/main');
      if (!existsSync(fetched)) return undefined;
      cpSync(fetched, folder, { recursive: true });
    } else {
      const { config, tensors, generation } = make();
      writeSeeded(folder, config, tensors, { seed: 1 });
      if (generation) writeFileSync(join(folder, 'generation_config.json'), JSON.stringify(generation));
    }
  }
  const { weights, end } = formats[format];
  const made = join(folder, `onnx/${format}.made`);
  if (existsSync(made)) return path;
  const config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'));
  const { tensor, close } = openSafetensors(join(folder, 'model.safetensors'));
  const graphs = await exporters[config.model_type](config, tensor, weights);
  for (const [file, graph] of Object.entries(graphs)) graph.write(join(folder, 'onnx', `${file}${end}.onnx`), name);
  close();
  writeFileSync(made, '');
  return path;
}

/** Words that a vocabulary has one token for each. */
export function wordsOf(path) {
  const file = join(root, path, 'vocab.txt');
  if (!existsSync(file)) return undefined;
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((word) => /^[a-z]{3,}$/.test(word))
    .slice(0, 5000);
}
