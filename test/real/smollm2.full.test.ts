import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Model } from '../../src/run/model.ts';
import { sharedDevice } from '../backends.ts';
import { isThere, smollm2 } from './models.ts';
import { expectedPerplexity, openSmolLm2, passageIds, testSmolLm2, whole } from './smollm2-case.ts';

describe.skipIf(!isThere(smollm2))('SmolLM2-135M-Instruct on WebGPU', () => {
  let model: Model;
  beforeAll(async () => {
    model = await openSmolLm2({ device: await sharedDevice(), dtype: 'f32' });
  });
  afterAll(() => model?.dispose());
  testSmolLm2(() => model, whole);

  test('kept as the file has it, the perplexity is within 0.5 %', async () => {
    const kept = await openSmolLm2({ device: await sharedDevice() });
    const { perplexity } = await kept.score(passageIds);
    expect(Math.abs(perplexity / expectedPerplexity - 1)).toBeLessThan(5e-3);
    kept.dispose();
  });
});
