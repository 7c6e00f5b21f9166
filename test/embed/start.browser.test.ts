import { afterEach, describe, expect, test, vi } from 'vitest';
import { EngineWorker } from '../../src/embed/client.ts';
import { VitrineError } from '../../src/plan/error.ts';

const tiny = '/test/fixtures/tiny-gpt2/';
const RealWorker = globalThis.Worker;
afterEach(() => vi.unstubAllGlobals());

/** A browser in which these addresses do not load. */
function refuse(pattern: RegExp) {
  vi.stubGlobal(
    'Worker',
    class extends RealWorker {
      constructor(url: string | URL, options?: WorkerOptions) {
        super(pattern.test(String(url)) ? '/no-such-script.js' : url, options);
      }
    },
  );
}

async function failure(engine: EngineWorker): Promise<VitrineError> {
  const error = await engine.load(tiny).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(VitrineError);
  engine.terminate();
  return error as VitrineError;
}

describe("the engine's worker", () => {
  test('starts from a blob that imports the script, where the script itself does not start', async () => {
    refuse(/worker\.ts/);
    const engine = new EngineWorker();
    const model = await engine.load(tiny, { device: 'cpu' });
    expect((await model.complete([5, 17, 300], { maxNewTokens: 3 })).ids).toHaveLength(3);
    engine.terminate();
  });

  test('that starts in no way says which script, and each way', async () => {
    refuse(/./);
    const error = await failure(new EngineWorker());
    expect(error.code).toBe('network');
    expect(error.message).toMatch(/The engine's script did not load: http:\S+\/worker\.ts\S* did not load; blob: /);
  });

  test('cannot be where there are no workers', async () => {
    vi.stubGlobal('Worker', undefined);
    const error = await failure(new EngineWorker());
    expect(error).toMatchObject({
      code: 'no-worker',
      message: "There are no workers here. Use `load` of 'vitrine' itself.",
    });
  });

  test("a load that is aborted before the worker is there rejects with the signal's reason", async () => {
    vi.stubGlobal(
      'Worker',
      class extends RealWorker {
        constructor() {
          super(URL.createObjectURL(new Blob(['/* silent */'])));
        }
      },
    );
    const controller = new AbortController();
    const reason = new Error('changed my mind');
    const engine = new EngineWorker();
    const loading = engine.load(tiny, { signal: controller.signal });
    controller.abort(reason);
    await expect(loading).rejects.toBe(reason);
    engine.terminate();
    await expect(engine.load(tiny)).rejects.toMatchObject({ code: 'disposed' });
  });
});
