// The model that all peers run, in each one's format: seeded weights in the shape of GPT-2 small, made once in .cache.
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { writeOnnx } from './onnx.mjs';

const root = join(import.meta.dirname, '..');
const checkpoint = join(root, '.cache/gpt2-small');
const onnxWeights = { 'model.onnx': 'f32', 'model_int8.onnx': 'int8', 'model_q4.onnx': 'q4' };

const node = (script, ...args) =>
  execFileSync(process.execPath, [join(root, script), ...args], { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] });

/** Path from the root of a row's model, which is made if it is not there. */
export function modelOf({ model }) {
  if (!existsSync(join(checkpoint, 'model.safetensors'))) {
    const shape = ['--layers', 12, '--embd', 768, '--heads', 12, '--vocab', 50257, '--ctx', 1024, '--seed', 1];
    node('tools/make-checkpoint.mjs', checkpoint, ...shape.map(String));
  }
  if (model === '') return '.cache/gpt2-small/';
  const path = join('.cache/bench', model);
  const file = join(root, path);
  if (existsSync(file)) return path;
  mkdirSync(dirname(file), { recursive: true });
  if (model.endsWith('.gguf')) node('tools/gguf.mjs', checkpoint, file, '--type', /-(\w+)\.gguf$/.exec(model)[1]);
  else {
    const folder = join(dirname(file), '..');
    copyFileSync(join(checkpoint, 'config.json'), join(folder, 'config.json'));
    writeFileSync(join(folder, 'generation_config.json'), '{}\n');
    writeOnnx(checkpoint, file, onnxWeights[model.split('/').at(-1)]);
  }
  return path;
}
