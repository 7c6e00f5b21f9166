import { afterAll, expect, test } from 'vitest';
import { vitrine } from '../../src/embed/ai-sdk.ts';
import { EngineWorker } from '../../src/embed/client.ts';
import { openai, openaiFetch } from '../../src/embed/openai.ts';
import { load } from '../../src/index.ts';

const engine = new EngineWorker();
const [here, there] = await Promise.all(
  [load, engine.load.bind(engine)].map((open) => open('/test/fixtures/tiny-gpt2/', { device: 'cpu', dtype: 'f32' })),
);
afterAll(() => {
  here!.dispose();
  engine.terminate();
});

const asked = { prompt: 'The sé', max_tokens: 6, seed: 4, logprobs: 2, echo: true, n: 2 };

test("OpenAI's calls answer the same from a worker's model as from one on this thread", async () => {
  const [own, other] = await Promise.all([here!, there!].map((model) => openai(model).completions.create(asked)));
  expect(other!.choices).toEqual(own!.choices);
  expect(other!.choices[0]!.logprobs!.tokens).toContain('bytes:\\xc3');
  const request = { method: 'POST', body: JSON.stringify({ ...asked, stream: true }) };
  const [text, others] = await Promise.all(
    [here!, there!].map(async (model) => (await openaiFetch(model)('/v1/completions', request)).text()),
  );
  const choices = (events: string) => events.match(/"choices":.*/g);
  expect(choices(others!)!.length).toBeGreaterThan(8);
  expect(choices(others!)).toEqual(choices(text!));
  expect(others).toMatch(/data: \[DONE\]\n\n$/);
});

test('so does the model of the AI SDK', async () => {
  const prompt = [{ role: 'user', content: [{ type: 'text', text: 'The sea' }] }] as const;
  const [own, other] = await Promise.all(
    [here!, there!].map((model) => vitrine(model).doGenerate({ prompt, seed: 1 })),
  );
  expect(other!.content).toEqual(own!.content);
});
