import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectClose } from '../close.ts';
import { expectedOfMiniLm, isThere, minilm, tensorsOfMiniLm } from './models.ts';
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
