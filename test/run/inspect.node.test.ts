import { expect, test } from 'vitest';
import { inspect } from '../../src/run/inspect.ts';
import { readFixtureJson, readModelFile } from '../fixtures.ts';
import { familyFiles } from '../model/families.ts';

const kinds = {
  'bert-mlm': ['bert', 'encoder', ['masked-words', 'next-sentence']],
  'bert-pooler': ['bert', 'encoder', []],
  'bert-seqcls': ['bert', 'encoder', ['classes']],
  'bert-tokcls': ['bert', 'encoder', ['token-classes']],
  'bert-qa': ['bert', 'encoder', ['answers']],
  'distilbert-mlm': ['distilbert', 'encoder', ['masked-words']],
  'distilbert-seqcls': ['distilbert', 'encoder', ['classes']],
  'roberta-mlm': ['roberta', 'encoder', ['masked-words']],
  'roberta-seqcls': ['roberta', 'encoder', ['classes']],
  'st-mean': ['bert', 'encoder', []],
  'st-cls': ['bert', 'encoder', []],
  'marian-swish': ['marian', 'encoder-decoder', ['next-words']],
  'marian-relu': ['marian', 'encoder-decoder', ['next-words']],
  bart: ['bart', 'encoder-decoder', ['next-words']],
  't5-v1.0': ['t5', 'encoder-decoder', ['next-words']],
  't5-v1.1': ['t5', 'encoder-decoder', ['next-words']],
  vit: ['vit', 'vision', ['classes']],
} as const;

/** What the file has more than the class in Python uses, or has computed. */
const more: Record<string, number> = {
  'bert-mlm': 48 * 48 + 48 + 2 * 48 + 2,
  'marian-swish': -2 * 64 * 36,
  'marian-relu': -2 * 64 * 32,
};

/** Opens the checkpoint's small files alone: reading a weight's bytes fails the test. */
class Watched extends File {
  read = 0;
  override slice(start = 0, end = this.size): Blob {
    this.read = Math.max(this.read, Math.min(end, this.size));
    return super.slice(start, end);
  }
}

test.each(Object.entries(kinds))('%s', async (folder, [family, kind, heads]) => {
  const [config, weights] = await familyFiles(folder, ['config.json', 'model.safetensors']);
  const watched = new Watched([await weights!.arrayBuffer()], 'model.safetensors');
  const found = await inspect([config!, watched]);
  expect(found).toMatchObject({ family, kind, heads });
  const { parameters } = await readFixtureJson<{ parameters: number }>(`families/${folder}/expected.json`);
  expect(found.parameters).toBe(parameters + (more[folder] ?? 0));
  expect(found.bytes).toBeLessThan(watched.size);
  expect(found.bytes).toBeGreaterThan(1.8 * parameters);
  expect(found.config.nLayer).toBeGreaterThan(1);
});

test('a text decoder', async () => {
  const names = ['config.json', 'model.safetensors'];
  const files = await Promise.all(
    names.map(async (name) => new File([new Uint8Array(await readModelFile(`tiny-tales/${name}`))], name)),
  );
  const found = await inspect(files);
  expect(found).toMatchObject({ family: 'gpt2', kind: 'decoder', heads: ['next-words'] });
});

test('what no loader takes, and unknown options', async () => {
  const [weights] = await familyFiles('bert-qa', ['model.safetensors']);
  const config = new File([JSON.stringify({ model_type: 'mamba' })], 'config.json');
  await expect(inspect([config, weights!])).rejects.toMatchObject({
    code: 'unsupported-checkpoint',
    message: expect.stringMatching(/model_type in config.json is "mamba"; expected .*"bert".*"marian".*"vit"/),
  });
  await expect(inspect([], { fast: true } as object)).rejects.toMatchObject({ code: 'bad-option' });
  const [vit, vitWeights] = await familyFiles('vit', ['config.json', 'model.safetensors']);
  expect(await inspect([vit!, vitWeights!], { device: 'cpu', dtype: 'q8' })).toMatchObject({ kind: 'vision' });
});
