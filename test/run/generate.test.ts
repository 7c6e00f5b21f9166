import { afterAll, describe, expect, test } from 'vitest';
import type { Model } from '../../src/run/model.ts';
import type { Token } from '../../src/run/output.ts';
import { openFixture } from './models.ts';
import { optionsOf, readSampling } from './sampling-fixture.ts';

const { generation, beam_search } = await readSampling();
const model = await openFixture('tiny-gpt2');
afterAll(() => model.dispose());

async function streamed(tokens: ReturnType<Model['generate']>) {
  const list: Token[] = [];
  for (;;) {
    const next = await tokens.next();
    if (next.done) return { tokens: list, completion: next.value };
    list.push(next.value);
  }
}

describe('generations of sampling.json', () => {
  test.each(generation)('$name', async ({ prompt_text, prompt_ids, settings, expected }) => {
    expect(model.tokenizer.encode(prompt_text)).toEqual(prompt_ids);
    const options = { eosTokenId: null, ...optionsOf(settings) };
    const { tokens, completion } = await streamed(model.generate(prompt_text, options));
    expect(completion.ids).toEqual(expected.new_ids ?? expected.generated_ids);
    expect(completion.finishReason).toBe(expected.finish_reason);
    expect(completion.text).toBe(expected.text);
    expect(tokens.map((token) => token.text).join('')).toBe(expected.text);
    expect(tokens.map((token) => token.id)).toEqual(completion.ids);
  });
});

describe('beam searches of sampling.json', () => {
  test.each(beam_search)('$name', async ({ prompt_ids, settings, expected }) => {
    const { sequences } = await model.complete(prompt_ids, optionsOf(settings));
    expect(sequences!.map(({ ids }) => ids)).toEqual(expected.map(({ new_ids }) => new_ids));
    sequences!.forEach(({ score }, i) => {
      expect(Math.abs(score! - expected[i]!.score)).toBeLessThan(1e-4);
    });
  });
});
