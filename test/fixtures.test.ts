import { expect, test } from 'vitest';
import { readFixture, readFixtureJson, readModelFile } from './fixtures.ts';

test('fixtures and models can be read', async () => {
  const config = await readFixtureJson<{ n_embd: number }>('tiny-gpt2/config.json');
  expect(config.n_embd).toBe(96);
  const logits = await readFixture('tiny-gpt2/logits.f32');
  expect(logits.byteLength).toBe(120_000);
  expect(logits.byteOffset).toBe(0);
  expect((await readModelFile('tiny-tales/model.safetensors')).byteLength).toBe(15_317_752);
  await expect(readFixture('none.bin')).rejects.toThrow();
});
