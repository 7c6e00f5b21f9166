import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { load } from '../../src/index.ts';

const embedded = fileURLToPath(new URL('../../public/models/tiny-tales/', import.meta.url));
const text = await readFile(new URL('../../bench/quantisation.txt', import.meta.url), 'utf8');
const stories = text.trim().split('\n\n');

/** Perplexity of the stories, each by itself, and what the weights take. */
async function measured(dtype: 'f32' | 'f16' | 'q8' | 'q4'): Promise<{ perplexity: number; bytes: number }> {
  const model = await load(embedded, { device: 'wasm', dtype });
  let [sum, count] = [0, 0];
  for (const story of stories) {
    const known = (await model.score(story)).logprobs.filter((logprob) => logprob !== null);
    sum += known.reduce((total, logprob) => total + logprob, 0);
    count += known.length;
  }
  const { bytes } = model.device;
  model.dispose();
  return { perplexity: Math.exp(-sum / count), bytes };
}

test('the perplexity of the embedded model: what docs/quantisation.md promises of each format', async () => {
  const f32 = await measured('f32');
  expect(f32.perplexity).toBeGreaterThan(30);
  expect(f32.perplexity).toBeLessThan(60);
  for (const [dtype, rise, part] of [
    ['f16', 0.0005, 0.51],
    ['q8', 0.001, 0.28],
    ['q4', 0.03, 0.265],
  ] as const) {
    const { perplexity, bytes } = await measured(dtype);
    expect(perplexity / f32.perplexity - 1, dtype).toBeLessThan(rise);
    expect(bytes / f32.bytes, dtype).toBeLessThan(part);
  }
});
