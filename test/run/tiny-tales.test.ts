import { describe, expect, test } from 'vitest';
import { load } from '../../src/index.ts';
import { readModelFile } from '../fixtures.ts';

interface Case {
  prompt: string;
  input_ids: number[];
  top10: { id: number; token: string; logprob: number }[];
  greedy_ids: number[];
  greedy_text: string;
}

const { cases } = JSON.parse(new TextDecoder().decode(await readModelFile('tiny-tales/reference.json'))) as {
  cases: Case[];
};

async function files(): Promise<File[]> {
  const names = ['config.json', 'model.safetensors'];
  return Promise.all(
    names.map(async (name) => new File([new Uint8Array(await readModelFile(`tiny-tales/${name}`))], name)),
  );
}

/** The embedded model, from files to text, as its model card says. */
describe.each(['cpu', 'wasm'] as const)('tiny-tales on %s', async (device) => {
  const model = await load(await files(), { device });

  test.each(cases)('$prompt', async ({ prompt, input_ids, top10, greedy_ids, greedy_text }) => {
    expect(model.tokenizer.encode(prompt)).toEqual(input_ids);
    const tokens = model.generate(prompt, { maxNewTokens: greedy_ids.length, eosTokenId: null, topLogprobs: 10 });
    const first = await tokens.next();
    if (first.done) return expect.unreachable('no token');
    expect(first.value.top!.map(({ id, text }) => [id, text])).toEqual(top10.map(({ id, token }) => [id, token]));
    for (const [i, { logprob }] of first.value.top!.entries()) expect(logprob).toBeCloseTo(top10[i]!.logprob, 3);
    let next = await tokens.next();
    while (!next.done) next = await tokens.next();
    expect(next.value.ids).toEqual(greedy_ids);
    expect(next.value.text).toBe(greedy_text);
  });
});
