import { afterAll, describe, expect, test, vi } from 'vitest';
import { EngineWorker } from '../../src/embed/client.ts';
import {
  directLogitAttribution,
  lensTokens,
  load,
  nearestRows,
  neuronTokens,
  overview,
  type Progress,
  rowSimilarities,
  VitrineError,
} from '../../src/index.ts';

const tiny = '/test/fixtures/tiny-gpt2/';
const engine = new EngineWorker();
afterAll(() => engine.terminate());

async function failure(promise: Promise<unknown>): Promise<VitrineError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(VitrineError);
  return error as VitrineError;
}

describe('the engine in a worker', () => {
  test('analyses there as here', async () => {
    const options = { device: 'cpu', dtype: 'f32' } as const;
    const [here, there] = await Promise.all([load(tiny, options), engine.load(tiny, options)]);
    const ids = [5, 17, 300, 2];
    expect(await there.overview(ids)).toEqual(await overview(here, ids));
    const lens = await there.lens(ids, 3, { positions: [1, -1] });
    expect(lens).toEqual(await lensTokens(here, ids, 3, { positions: [1, -1] }));
    expect(lens.map((rows) => rows.map((top) => top.length))).toEqual(Array(here.config.nLayer).fill([3, 3]));
    const nearest = await nearestRows(here, 'wte.weight', 42, { count: 3 });
    expect((await there.nearest(42, 3)).map(({ id, cosine }) => ({ row: id, cosine }))).toEqual(nearest);
    const asked = { token: 7, minus: 8, position: 2, edits: [{ name: 'blocks.0.attn.hook_z', head: 1, scale: 0 }] };
    expect(await there.attribution(ids, asked)).toEqual(await directLogitAttribution(here, ids, asked));
    expect(await there.neuron(1, 5, 3)).toEqual(await neuronTokens(here, 1, 5, 3));
    expect(await there.similarities('wpe.weight')).toEqual(await rowSimilarities(here, 'wpe.weight'));
    here.dispose();
    await there.dispose();
  });

  test('what is asked of many tokens at once crosses in one call, and each fails by itself', async () => {
    const model = await engine.load(tiny, { device: 'cpu' });
    const posted = vi.spyOn(Worker.prototype, 'postMessage');
    const asked = [3, 4, 1e6, 5].map(async (id) => model.tokenizer.token(id));
    const bytes = [3, 4].map(async (id) => model.tokenizer.bytes(id));
    const answers = await Promise.allSettled(asked);
    expect(posted.mock.calls.length).toBe(2);
    posted.mockRestore();
    const here = await load(tiny, { device: 'cpu' });
    for (const i of [0, 1, 3]) {
      const id = [3, 4, 1e6, 5][i]!;
      expect(answers[i]).toEqual({ status: 'fulfilled', value: here.tokenizer.token(id) });
    }
    expect(answers[2]).toMatchObject({ status: 'rejected', reason: { code: 'bad-option' } });
    expect(await Promise.all(bytes)).toEqual([3, 4].map((id) => here.tokenizer.bytes(id)));
    here.dispose();
    await model.dispose();
  });

  test('streams tokens one by one, and stops when the loop is left', async () => {
    const model = await engine.load(tiny, { device: 'cpu' });
    const indices: number[] = [];
    for await (const token of model.generate([1, 2, 3], { maxNewTokens: 100 })) {
      indices.push(token.index);
      if (indices.length === 5) break;
    }
    expect(indices).toEqual([0, 1, 2, 3, 4]);
    const tokens = model.generate([1, 2, 3], { maxNewTokens: 3 });
    let next = await tokens.next();
    let count = 0;
    for (; !next.done; next = await tokens.next()) count++;
    expect(count).toBe(3);
    expect(next.value.finishReason).toBe('length');
    await model.dispose();
  });

  test('reports progress in bytes', async () => {
    const reports: Progress[] = [];
    const model = await engine.load(tiny, { device: 'cpu', onProgress: (progress) => reports.push(progress) });
    expect(reports.at(-1)).toMatchObject({ stage: 'ready', loaded: reports.at(-1)!.total });
    expect(reports.at(-1)!.total).toBeGreaterThan(1e6);
    await model.dispose();
  });

  test("an aborted load or generation rejects with its signal's reason", async () => {
    const loading = new AbortController();
    const reason = new Error('changed my mind');
    const loaded = engine.load('/models/tiny-tales/', { signal: loading.signal });
    loading.abort(reason);
    await expect(loaded).rejects.toBe(reason);

    const model = await engine.load(tiny, { device: 'cpu' });
    const writing = new AbortController();
    const tokens = model.generate([1], { maxNewTokens: 120, signal: writing.signal });
    await tokens.next();
    writing.abort(reason);
    const rest = async () => {
      for (;;) if ((await tokens.next()).done) return;
    };
    await expect(rest()).rejects.toBe(reason);
    expect((await model.complete([1], { maxNewTokens: 2 })).ids).toHaveLength(2);
    await model.dispose();
  });

  test('what onProgress throws ends the load, and is no error of the page', async () => {
    const errors: unknown[] = [];
    const hear = (event: Event) => errors.push(event);
    for (const kind of ['error', 'unhandledrejection']) addEventListener(kind, hear);
    for (const stage of ['config', 'weights', 'ready']) {
      for (const isAsync of [false, true]) {
        const reason = new Error(`at ${stage}`);
        const told: string[] = [];
        const fail = (progress: Progress) => {
          told.push(progress.stage);
          if (progress.stage === stage) throw reason;
        };
        const onProgress = isAsync ? async (progress: Progress) => fail(progress) : fail;
        await expect(engine.load(tiny, { device: 'cpu', onProgress })).rejects.toBe(reason);
        expect(told.filter((one) => one === stage)).toHaveLength(1);
        expect(told.at(-1)).toBe(stage);
      }
    }
    const model = await engine.load(tiny, { device: 'cpu' });
    expect((await model.complete([1], { maxNewTokens: 2 })).ids).toHaveLength(2);
    await model.dispose();
    for (const kind of ['error', 'unhandledrejection']) removeEventListener(kind, hear);
    expect(errors).toEqual([]);
  });

  test('errors keep their code, message and hint', async () => {
    const missing = await failure(engine.load('/test/fixtures/no-such-model/'));
    const here = await failure(load('/test/fixtures/no-such-model/'));
    expect(missing.toJSON()).toEqual(here.toJSON());
    const model = await engine.load(tiny, { device: 'cpu' });
    expect((await failure(model.complete([1], { topK: -1 }))).code).toBe('bad-option');
    await model.dispose();
    expect((await failure(model.complete([1]))).code).toBe('disposed');
  });

  test('calls under way end when it is terminated', async () => {
    const other = new EngineWorker();
    const loaded = failure(other.load('/models/tiny-tales/'));
    other.terminate();
    expect((await loaded).code).toBe('disposed');
  });

  test('calls after it was terminated are refused; disposing is none', async () => {
    const other = new EngineWorker();
    const model = await other.load(tiny, { device: 'cpu' });
    other.terminate();
    expect((await failure(other.load(tiny))).code).toBe('disposed');
    expect((await failure(model.complete([1]))).code).toBe('disposed');
    expect((await failure(model.generate([1]).next())).code).toBe('disposed');
    await model.dispose();
  });

  test('a worker whose script does not load says so', async () => {
    const broken = new EngineWorker(new Worker('/no-such-script.js', { type: 'module' }));
    expect((await failure(broken.load(tiny))).code).toBe('network');
    expect((await failure(broken.load(tiny))).code).toBe('network');
    broken.terminate();
  });
});
