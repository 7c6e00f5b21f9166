import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { DiskFiles } from '../../src/load/disk.ts';
import { readDirectory } from '../../src/load/safetensors.ts';

const root = join(import.meta.dirname, '../..');
const folder = join(root, 'public/models');
const names = readdirSync(folder, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? entry.name : []));

describe.each(names)('%s', (name) => {
  const read = (file: string) => readFileSync(join(folder, name, file), 'utf8');

  test('is whole: a config, weights in F16, a card', async () => {
    const files = new DiskFiles(`${join(folder, name)}/`);
    const tensors = (await readDirectory(files, 'model.safetensors'))!;
    expect(new Set(tensors.map(({ dtype }) => dtype))).toEqual(new Set(['F16']));
    expect(JSON.parse(read('config.json'))).toHaveProperty('model_type');
    expect(JSON.parse(read('reference.json'))).toHaveProperty('cases');
    expect(read('MODEL_CARD.md')).toContain('## Licence');
  });

  test('is in the built page, and its card with it', () => {
    for (const file of readdirSync(join(folder, name))) {
      expect(existsSync(join(root, 'site/models', name, file)), file).toBe(true);
    }
  });
});

test('those whose licences ask for it name their sources', () => {
  const told = readFileSync(join(folder, 'README.md'), 'utf8');
  for (const words of ['MNIST', 'CC BY-SA 3.0', 'Tatoeba', 'CC BY 2.0 FR']) expect(told).toContain(words);
  expect(readFileSync(join(folder, 'tiny-digits/MODEL_CARD.md'), 'utf8')).toContain('CC BY-SA 3.0');
  expect(readFileSync(join(folder, 'tiny-translate/MODEL_CARD.md'), 'utf8')).toContain('CC BY 2.0 FR');
});

test('a visit keeps the model that writes, and no other before it is opened', () => {
  const [, list] = /^self\.BUILD=(.*);\n/.exec(readFileSync(join(root, 'site/service-worker.js'), 'utf8'))!;
  const kept = Object.keys(JSON.parse(list!).files).filter((path) => path.startsWith('models/'));
  const files = ['config.json', 'generation_config.json', 'model.safetensors'];
  expect(kept.sort()).toEqual(files.map((file) => `models/tiny-tales/${file}`));
});
