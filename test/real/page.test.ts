import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectClose } from '../close.ts';
import {
  expectedOfMiniLm,
  expectedOfSmolLm2,
  isThere,
  minilm,
  smollm2,
  tensorsOfMiniLm,
  tensorsOfSmolLm2,
} from './models.ts';
import { openPage } from './page.ts';

declare const vitrine: typeof import('../../src/index.ts');
declare const worker: typeof import('../../src/embed/client.ts');

describe.skipIf(!isThere(minilm))('all-MiniLM-L6-v2 in Chromium, from a hub', () => {
  let opened: Awaited<ReturnType<typeof openPage>>;
  beforeAll(async () => {
    opened = await openPage();
  });
  afterAll(() => opened?.close());

  /** Texts of each kind that a page embeds, and how far from the expected their embeddings may be. */
  const chosen = [0, 14, 22, 41];
  const check = async (found: number[][]) => {
    const { data } = (await tensorsOfMiniLm())('embeddings');
    const { accept } = await expectedOfMiniLm();
    for (const [place, i] of chosen.entries()) {
      expectClose(found[place]!, data.subarray(384 * i, 384 * (i + 1)), { absolute: accept.embedding }, `text ${i}`);
    }
  };
  const textsOf = async () => {
    const { texts } = await expectedOfMiniLm();
    return chosen.map((i) => texts[i]!);
  };

  test.each(['wasm', 'webgpu'])('on the page, %s', async (kind) => {
    const { page, endpoint } = opened;
    const embed = async ([device, id, at, ...texts]: string[]) => {
      const encoder = await vitrine.loadEncoder(id!, { endpoint: at!, device: device as 'wasm' });
      const vectors = await encoder.embed(texts);
      encoder.dispose();
      return vectors.map((vector) => Array.from(vector));
    };
    await check(await page.evaluate(embed, [kind, minilm, endpoint, ...(await textsOf())]));
  });

  test('in the worker', async () => {
    const { page, endpoint } = opened;
    const embed = async ([id, at, ...texts]: string[]) => {
      const engine = new worker.EngineWorker();
      const encoder = await engine.loadEncoder(id!, { endpoint: at!, device: 'wasm' });
      const vectors = await encoder.embed(texts);
      engine.terminate();
      return vectors.map((vector) => Array.from(vector));
    };
    await check(await page.evaluate(embed, [minilm, endpoint, ...(await textsOf())]));
  });

  test('load, which is for text decoders, names the call that takes it', async () => {
    const { page, endpoint } = opened;
    const loading = ([id, at]: string[]) =>
      vitrine.load(id!, { endpoint: at! }).then(
        () => undefined,
        (error) => error.toJSON(),
      );
    const refused = { code: 'unsupported-checkpoint', hint: 'Call loadEncoder instead.' };
    expect(await page.evaluate(loading, [minilm, endpoint])).toMatchObject(refused);
  });
});

describe.skipIf(!isThere(smollm2))('SmolLM2-135M-Instruct in a worker of Chromium', () => {
  let opened: Awaited<ReturnType<typeof openPage>>;
  beforeAll(async () => {
    opened = await openPage();
  });
  afterAll(() => opened?.close());

  test('logits, log-probabilities, a text and a chat of two turns are the expected', async () => {
    const { cases, chats, accept } = await expectedOfSmolLm2();
    const tensor = await tensorsOfSmolLm2();
    const [one, talk] = [cases[0]!, chats[0]!];
    // Up to where two tokens are as good as each other.
    const sure = ({ greedy, margins }: { greedy: number[]; margins: number[] }) => {
      const close = margins.findIndex((margin) => margin < 5e-3);
      return greedy.slice(0, close < 0 ? greedy.length : close);
    };
    const asked = { id: smollm2, endpoint: opened.endpoint, ids: one.ids, messages: talk.messages };
    const lengths = { text: sure(one).length, reply: sure(talk).length };
    const found = await opened.page.evaluate(
      async ({ id, endpoint, ids, messages, lengths }) => {
        const engine = new worker.EngineWorker();
        const stages = new Set<string>();
        const onProgress = ({ stage }: { stage: string }) => void stages.add(stage);
        const options = { device: 'wasm', dtype: 'f32', contextLength: 512, onProgress } as const;
        const model = await engine.load(`${endpoint}/${id}/resolve/main/SmolLM2-135M-Instruct.Q4_1.gguf`, options);
        const { data } = await model.logits(ids);
        const { logprobs } = await model.score(ids);
        const { ids: text } = await model.complete(ids, { maxNewTokens: lengths.text });
        const reply = async (turns: typeof messages, maxNewTokens: number) => {
          const drawn: number[] = [];
          const tokens = model.chat(turns, { maxNewTokens });
          for (;;) {
            const next = await tokens.next();
            if (next.done) return { drawn, usage: next.value.usage };
            drawn.push(next.value.id);
          }
        };
        const first = await reply(messages, lengths.reply);
        const turns = [
          { role: 'assistant', content: 'Yes.' },
          { role: 'user', content: 'Why?' },
        ];
        const second = await reply([...messages, ...turns], 8);
        const { device } = model;
        engine.terminate();
        return { data: Array.from(data), logprobs, text, first, second, device, stages: [...stages] };
      },
      { ...asked, lengths },
    );
    expectClose(found.data, tensor(one.logits).data, { absolute: accept.logits }, 'logits');
    expectClose(
      found.logprobs.slice(1).map((logprob) => -logprob!),
      one.nll,
      { absolute: accept.nll },
      'nll',
    );
    expect(found.text).toEqual(sure(one));
    expect(found.first.drawn).toEqual(sure(talk));
    expect(found.first.usage.prompt).toBe(talk.ids.length);
    expect(found.second.drawn.length).toBeGreaterThan(0);
    // All of the first turn, up to where the answer begins.
    expect(found.second.usage.cached).toBeGreaterThanOrEqual(talk.ids.length);
    expect(found.device).toMatchObject({ kind: 'wasm', dtype: 'f32' });
    expect(found.stages).toContain('weights');
  });
});
