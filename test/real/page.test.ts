import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isThere, minilm } from './models.ts';
import { openPage } from './page.ts';

declare const vitrine: typeof import('../../src/index.ts');
declare const worker: typeof import('../../src/embed/client.ts');

describe.skipIf(!isThere(minilm))('all-MiniLM-L6-v2 in Chromium, from a hub', () => {
  let opened: Awaited<ReturnType<typeof openPage>>;
  beforeAll(async () => {
    opened = await openPage();
  });
  afterAll(() => opened?.close());

  /** What `load`, which is for text decoders, says to it: that it was fetched, and what it is. */
  const refused = { code: 'unsupported-checkpoint', message: expect.stringContaining('"bert"') };

  test('on the page', async () => {
    const { page, endpoint } = opened;
    const loading = ([id, at]: string[]) =>
      vitrine.load(id!, { endpoint: at! }).then(
        () => undefined,
        (error) => error.toJSON(),
      );
    expect(await page.evaluate(loading, [minilm, endpoint])).toMatchObject(refused);
  });

  test('in the worker', async () => {
    const { page, endpoint } = opened;
    const loading = async ([id, at]: string[]) => {
      const engine = new worker.EngineWorker();
      const failed = await engine.load(id!, { endpoint: at! }).catch((error) => error.toJSON());
      engine.terminate();
      return failed;
    };
    expect(await page.evaluate(loading, [minilm, endpoint])).toMatchObject(refused);
  });
});
