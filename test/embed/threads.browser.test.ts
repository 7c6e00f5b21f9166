import { afterEach, describe, expect, test, vi } from 'vitest';
import { EngineWorker } from '../../src/embed/client.ts';

const tiny = '/test/fixtures/tiny-gpt2/';
const onThreads = { device: 'wasm', threads: 3 } as const;
const RealWorker = globalThis.Worker;
afterEach(() => vi.unstubAllGlobals());

const address = (script: string) => URL.createObjectURL(new Blob([script], { type: 'text/javascript' }));
const asFirefox = address("Object.defineProperty(navigator, 'userAgent', { value: 'Firefox/153.0' });");

/** The engine's script as it is in Firefox, whose pages start the threads of their engine's worker. */
const inFirefox = (url: string | URL) =>
  address(`import ${JSON.stringify(asFirefox)}; import ${JSON.stringify(new URL(url, location.href).href)};`);

/** Workers that this page starts, by what they are, and those of them that are not ended. Addresses that match do not load. */
function watchWorkers({ refused = /none/, script = inFirefox, onAsked = (_name: string) => {} } = {}) {
  const asked: string[] = [];
  const alive = new Set<string>();
  vi.stubGlobal(
    'Worker',
    class extends RealWorker {
      readonly #name: string;

      constructor(url: string | URL, options?: WorkerOptions) {
        const name = String(url)
          .replace(/^blob:.*/, 'blob:')
          .match(/blob:|(?:worker|thread)\.[jt]s/)![0];
        super(refused.test(name) ? '/no-such-script.js' : name === 'worker.ts' ? script(url) : url, options);
        asked.push(name);
        this.#name = `${name} ${asked.length}`;
        alive.add(this.#name);
        onAsked(name);
      }

      override terminate() {
        alive.delete(this.#name);
        super.terminate();
      }
    },
  );
  return { asked, alive };
}

const complete = [5, 17, 300];

describe('threads of the engine in a worker, in Firefox', () => {
  test('are started by the page, and end with their model', async () => {
    const { asked, alive } = watchWorkers();
    const engine = new EngineWorker();
    const model = await engine.load(tiny, onThreads);
    expect(model.device).toMatchObject({ kind: 'wasm', threads: 3, reason: 'asked for' });
    expect(asked).toEqual(['worker.ts', 'thread.js', 'thread.js']);
    const other = await engine.load(tiny, onThreads);
    await model.dispose();
    await expect.poll(() => [...alive]).toEqual(['worker.ts 1', 'thread.js 4', 'thread.js 5']);
    expect((await other.complete(complete, { maxNewTokens: 3 })).ids).toHaveLength(3);
    engine.terminate();
    await expect.poll(() => alive.size).toBe(0);
  });

  test('end with an engine that is terminated while they start', async () => {
    // In the task that starts the first: a moment later the model may be there.
    const { alive } = watchWorkers({
      onAsked: (name) => name === 'thread.js' && queueMicrotask(() => engine.terminate()),
    });
    const engine = new EngineWorker();
    await expect(engine.load(tiny, onThreads)).rejects.toMatchObject({ code: 'disposed' });
    await expect.poll(() => alive.size).toBe(0);
  });

  test("end with a worker of the caller's that the caller ends; two engines of one worker start them once", async () => {
    const { asked, alive } = watchWorkers();
    const worker = new Worker(new URL('../../src/embed/worker.ts', import.meta.url), { type: 'module' });
    const engines = [new EngineWorker(worker), new EngineWorker(worker)];
    await engines[1]!.load(tiny, onThreads);
    expect(asked).toEqual(['worker.ts', 'thread.js', 'thread.js']);
    worker.terminate();
    expect(alive.size).toBe(0);
    for (const engine of engines) engine.terminate();
  });

  test('start from their text where their file is out of reach', async () => {
    const { asked } = watchWorkers({ refused: /thread\.js/ });
    const engine = new EngineWorker();
    const model = await engine.load(tiny, onThreads);
    expect(model.device.threads).toBe(3);
    expect(asked).toEqual(['worker.ts', 'thread.js', 'blob:', 'blob:']);
    engine.terminate();
  });

  test('are no condition: where the page starts none there is one, and the device says why', async () => {
    const { alive } = watchWorkers({ refused: /thread\.js|blob:/ });
    const engine = new EngineWorker();
    const model = await engine.load(tiny, onThreads);
    expect(model.device).toMatchObject({ kind: 'wasm', threads: 1 });
    expect(model.device.reason).toMatch(/one thread, because no others started: .*thread\.js.*; blob: /);
    expect((await model.complete(complete, { maxNewTokens: 3 })).ids).toHaveLength(3);
    expect(alive.size).toBe(1);
    engine.terminate();
  });
});

test('in other browsers the worker starts its threads itself', async () => {
  const { asked } = watchWorkers({ script: String });
  const engine = new EngineWorker();
  const model = await engine.load(tiny, onThreads);
  expect(model.device.threads).toBe(3);
  expect(asked).toEqual(['worker.ts']);
  engine.terminate();
});
