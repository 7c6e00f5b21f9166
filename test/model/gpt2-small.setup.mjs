// Vitest's global set-up of the slow tests: the GPT-2-small-shaped checkpoint, 500 MB, made once.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..', '..');
const folder = join(root, '.cache', 'gpt2-small');

export default function setup() {
  if (existsSync(join(folder, 'model.safetensors'))) return;
  const shape = ['--layers', 12, '--embd', 768, '--heads', 12, '--vocab', 50257, '--ctx', 1024, '--seed', 1];
  execFileSync(process.execPath, [join(root, 'tools', 'make-checkpoint.mjs'), folder, ...shape.map(String)]);
}
