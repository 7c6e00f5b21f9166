import { afterEach, describe, expect, test, vi } from 'vitest';
import { load } from '../../src/index.ts';
import { createWasmBackend } from '../../src/wasm/backend.ts';

const tiny = '/test/fixtures/tiny-gpt2/';
const RealWorker = globalThis.Worker;

/** A browser whose workers do not start from addresses that match. */
function refuse(pattern: RegExp) {
  const asked: string[] = [];
  vi.stubGlobal(
    'Worker',
    class extends RealWorker {
      constructor(url: string | URL, options?: WorkerOptions) {
        asked.push(String(url).replace(/^blob:.*/, 'blob:'));
        super(pattern.test(String(url)) ? '/no-such-script.js' : url, options);
      }
    },
  );
  return asked;
}

afterEach(() => vi.unstubAllGlobals());

describe('threads are no condition of WebAssembly', () => {
  test('the file that the bundler knows comes first', async () => {
    const asked = refuse(/none/);
    const backend = await createWasmBackend({ threads: 3 });
    expect(backend.threads).toBe(3);
    expect(backend.note).toBeUndefined();
    expect(asked).toHaveLength(2);
    expect(asked.every((url) => /\/thread\.js/.test(url))).toBe(true);
    backend.dispose();
  });

  test('where it is out of reach, the script is inlined', async () => {
    const asked = refuse(/thread\.js/);
    const backend = await createWasmBackend({ threads: 3 });
    expect(backend.threads).toBe(3);
    expect(asked.slice(1)).toEqual(['blob:', 'blob:']);
    backend.dispose();
  });

  test('where no thread starts there is one, and the device says why', async () => {
    refuse(/./);
    for (const device of ['wasm', 'auto'] as const) {
      const model = await load(tiny, { device, threads: 2 });
      expect(model.device).toMatchObject({ kind: 'wasm', threads: 1 });
      expect(model.device.reason).toMatch(/one thread, because no others started: .*thread\.js.*; blob: /);
      expect((await model.complete([5, 17, 300], { maxNewTokens: 3 })).ids).toHaveLength(3);
      model.dispose();
    }
  });

  test('where memory cannot be shared there is one', async () => {
    vi.stubGlobal('crossOriginIsolated', false);
    const alone = await createWasmBackend({ threads: 2 });
    expect(alone).toMatchObject({ threads: 1, note: 'one thread, because the page is not cross-origin isolated' });
    alone.dispose();
    vi.unstubAllGlobals();
    vi.stubGlobal('SharedArrayBuffer', undefined);
    const without = await createWasmBackend({ threads: 2 });
    expect(without).toMatchObject({ threads: 1, note: 'one thread, because there is no SharedArrayBuffer' });
    without.dispose();
  });
});

describe('the option threads', () => {
  test('is how many there are', async () => {
    for (const threads of [1, 2, 3]) {
      const model = await load(tiny, { device: 'wasm', threads });
      expect(model.device.threads).toBe(threads);
      expect(model.device.reason).toBe('asked for');
      model.dispose();
    }
  });

  test.each([0, -1, 1.5, 65, '2'])('%s is refused', async (threads) => {
    await expect(load(tiny, { threads } as object)).rejects.toMatchObject({ code: 'bad-option' });
  });

  test('is for WebAssembly', async () => {
    await expect(load(tiny, { device: 'cpu', threads: 2 })).rejects.toMatchObject({ code: 'bad-option' });
  });
});
