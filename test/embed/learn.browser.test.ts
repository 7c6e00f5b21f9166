import { afterAll, expect, test, vi } from 'vitest';
import { EngineWorker } from '../../src/embed/client.ts';
import { loadEncoder } from '../../src/index.ts';
import { Diverged, gradients, type Step, type Training, train } from '../../src/learn/index.ts';

const engine = new EngineWorker();
afterAll(() => engine.terminate());
const folder = '/test/fixtures/families/bert-seqcls/';
const examples = [5, 6, 7, 8].map((id) => ({ ids: [id, id + 1, id + 2], label: id % 2 }));

test('a model in the worker is taught there; a page in the background says so', async () => {
  const options = { device: 'wasm', threads: 1 } as const;
  const [here, there] = [await loadEncoder(folder, options), await engine.loadEncoder(folder, options)];
  const asked = { loss: { labels: [1] }, wrt: ['weights:*classifier*'] };
  const found = await Promise.all([here, there].map((model) => gradients(model, { ids: examples[0]!.ids }, asked)));
  expect(found[1]!.names.length).toBeGreaterThan(0);
  for (const name of found[0]!.names) expect(found[1]!.get(name)).toEqual(found[0]!.get(name));
  const run = train(there, examples, { batchSize: 2, epochs: 2, learningRate: 1e-2 });
  const own = train(here, examples, { batchSize: 2, epochs: 2, learningRate: 1e-2 });
  const hidden = vi.spyOn(document, 'visibilityState', 'get').mockReturnValue('hidden');
  const first = (await run.next()).value as Step;
  expect(first).toMatchObject({ step: 0, inBackground: true });
  hidden.mockRestore();
  expect((await own.next()).value).toMatchObject({ loss: first.loss });
  expect((await run.next()).value).toMatchObject({ inBackground: false });
  const next = run.next();
  document.dispatchEvent(new Event('visibilitychange'));
  expect((await next).value).toMatchObject({ inBackground: false });
  await run.return();
  await own.return();
  expect(run.adapter!.files()['adapter_config.json']!.length).toBeGreaterThan(0);
  for (const model of [there, here]) {
    const wild = train(model, examples, { batchSize: 2, epochs: 9, learningRate: 1e30, schedule: 'constant' });
    const error = await untilEnd(wild).catch((one: unknown) => one);
    expect(error).toBeInstanceOf(Diverged);
    const { adapter } = error as Diverged;
    expect([...adapter.content.tensors.values()].every(({ data }) => data.every(Number.isFinite))).toBe(true);
    expect(wild.checkpoint().step).toBeGreaterThan(0);
    await model.setAdapter(null);
  }
  here.dispose();
  await there.dispose();
});

async function untilEnd(run: Training): Promise<void> {
  for await (const _ of run);
}
