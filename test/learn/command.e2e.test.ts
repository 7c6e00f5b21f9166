import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadEncoder } from '../../src/index.ts';
import { loadAdapter } from '../../src/learn/index.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
const model = join(root, 'test/fixtures/families/st-mean');
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vitrine-train-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const train = (...options: string[]) => run(process.execPath, [join(root, 'scripts/train.mjs'), ...options]);

test('npm run train learns from a CSV file and writes an adapter, which classifies', async () => {
  const data = join(folder, 'messages.csv');
  await writeFile(
    data,
    'text,label\r\n"hello, ""world""",greeting\r\nthe cat,animal\r\ngood morning,greeting\r\na dog,animal\r\n',
  );
  const out = join(folder, 'adapter');
  const options = ['--data', data, '--model', model, '--out', out];
  const { stdout } = await train(...options, '--method', 'head', '--rate', '0.5', '--epochs', '30');
  expect(stdout).toMatch(/30\/30: loss 0\.\d+, rate/);
  expect((await readdir(out)).sort()).toEqual(['head.json', 'head.safetensors']);
  const encoder = await loadEncoder(model, { device: 'cpu' });
  await encoder.setAdapter(await loadAdapter(out));
  const [best] = await encoder.classify('hello, "world"', { topK: 1 });
  expect(best![0]!.label).toBe('greeting');
  encoder.dispose();
});

test('what is missing or wrong is said in a line', async () => {
  await expect(train('--model', model, '--out', folder)).rejects.toMatchObject({
    stderr: expect.stringMatching(/--data is missing/),
  });
  const data = join(folder, 'broken.csv');
  const nowhere = ['--model', join(folder, 'nowhere'), '--out', folder];
  const others: [text: string, read: RegExp][] = [
    [
      '\uFEFFMessage;Category\n"Rain; and ""snow""";weather\nHe said "hi"; animal\n',
      /2 examples of 2 classes: weather \(1\), animal \(1\)/,
    ],
    [
      'animal\tThe cat\r\nanimal\tA "big" dog\r\nweather\tIt, too, rained\r\n',
      /3 examples of 2 classes: animal \(2\), weather \(1\)/,
    ],
    ['question,context,answer\nWho?,Tom sat; he did.,\n', /^1 examples$/m],
  ];
  for (const [text, read] of others) {
    await writeFile(data, text);
    await expect(train('--data', data, ...nowhere)).rejects.toMatchObject({ stdout: expect.stringMatching(read) });
  }
  const refused: [text: string, words: RegExp][] = [
    ['text,label\n"open,greeting\n', /line 2 has a quote that does not end/],
    ['text,label\nhello,\n', /row 1 has no label/],
    ['', /is empty/],
  ];
  for (const [text, words] of refused) {
    await writeFile(data, text);
    await expect(train('--data', data, ...nowhere)).rejects.toMatchObject({ stderr: expect.stringMatching(words) });
  }
  await writeFile(data, 'text,label\nhello,greeting,more\n');
  const failed = train('--data', data, '--model', model, '--out', folder);
  await expect(failed).rejects.toMatchObject({ stderr: expect.stringMatching(/row 1 has 3 columns/) });
});
