import { afterAll, describe, expect, expectTypeOf, test } from 'vitest';
import { EngineWorker, type WorkerVision } from '../../src/embed/client.ts';
import { inspect, type PipelineProgress, pipeline, VitrineError } from '../../src/index.ts';

const engine = new EngineWorker();
afterAll(() => engine.terminate());

const options = { device: 'cpu' } as const;
const folderOf = (name: string) => `/test/fixtures/families/${name}/`;

/** What a call gives, or how it fails. */
async function outcome(promise: Promise<unknown>): Promise<unknown> {
  return promise.catch((error: unknown) => (error instanceof VitrineError ? error.toJSON() : error));
}

type Pipe = (...args: unknown[]) => Promise<unknown>;
const canvas = Object.assign(document.createElement('canvas'), { width: 20, height: 30 });
canvas.getContext('2d')!.fillRect(5, 5, 9, 9);

const calls: [string, string, Record<string, unknown[]>][] = [
  ['fill-mask', 'bert-mlm', { one: ['the [MASK] sea', { top_k: 2 }], list: [['the [MASK]', 'a [MASK]']], none: ['a'] }],
  ['sentiment-analysis', 'bert-seqcls', { one: ['one'], all: ['one', { topK: null }], wrong: ['one', { nope: 1 }] }],
  ['zero-shot-classification', 'bert-seqcls', { labels: ['one', ['sea', 'bread'], { multi_label: true }] }],
  [
    'question-answering',
    'bert-qa',
    { two: ['Where?', 'by the sea'], object: [{ question: 'Where?', context: 'here' }] },
  ],
  ['feature-extraction', 'st-mean', { pooled: [['one', 'two'], { pooling: 'mean' }], tokens: ['one'] }],
  [
    'image-classification',
    'vit',
    { canvas: [canvas, { top_k: 2 }], list: [['image0.png', 'image2.png'].map((name) => folderOf('vit') + name)] },
  ],
  ['image-feature-extraction', 'vit', { address: [`${folderOf('vit')}image2.png`], wrong: [7] }],
];

describe.each(calls)('%s of %s', (task, folder, given) => {
  test('answers in the worker as on this thread', async () => {
    const [here, there] = await Promise.all([
      pipeline(task as 'ner', folderOf(folder), options),
      engine.pipeline(task as 'ner', folderOf(folder), options),
    ]);
    expect(there.task).toBe(here.task);
    expect(there.model.config).toEqual(here.model.config);
    for (const [name, args] of Object.entries(given)) {
      const expected = await outcome((here as unknown as Pipe)(...args));
      expect(await outcome((there as unknown as Pipe)(...args)), name).toEqual(expected);
    }
    const reason = new Error('changed my mind');
    const [[subject]] = Object.values(given) as [unknown[]];
    const aborted = (there as unknown as Pipe)(subject, 'more', { signal: AbortSignal.abort(reason) });
    await expect(aborted).rejects.toBe(reason);
    await here.dispose();
    await there.dispose();
    expect(await outcome((there as unknown as Pipe)(subject))).toMatchObject({ code: 'disposed' });
  });
});

test('features are a tensor, and the model is at hand', async () => {
  const features = await engine.pipeline('image-feature-extraction', folderOf('vit'), options);
  expectTypeOf(features.model).toEqualTypeOf<WorkerVision>();
  const tensor = await features(`${folderOf('vit')}image0.png`);
  expect([tensor.type, tensor.size, tensor.dims]).toEqual(['float32', 26 * 48, [1, 26, 48]]);
  expect(tensor.tolist()).toHaveLength(1);
  expect(await features.model.features(`${folderOf('vit')}image0.png`)).toEqual(tensor.data.slice(0, 48));
  await features[Symbol.asyncDispose]();
});

test('progress is told in its terms', async () => {
  const told: PipelineProgress[] = [];
  const given = { ...options, progress_callback: (info: PipelineProgress) => void told.push(info) };
  const pipe = await engine.pipeline('fill-mask', folderOf('bert-mlm'), given);
  expect(told.at(-1)).toMatchObject({ status: 'ready', progress: 100 });
  await pipe.dispose();
});

test.each([
  ['an unknown task', ['ocr', folderOf('vit')]],
  ['no source', ['ner', undefined]],
  ['another head', ['fill-mask', folderOf('bert-qa')]],
  ['another kind', ['image-classification', folderOf('bert-qa')]],
])('%s is refused there as here', async (_, args) => {
  const [task, source] = args as ['ner', string];
  const error = await outcome(engine.pipeline(task, source, options));
  expect(error).toHaveProperty('code');
  expect(error).toEqual(await outcome(pipeline(task, source, options)));
});

test.each(['vit', 'bert-mlm', 'marian-swish', '../tiny-gpt2', 'no-such-folder'])('inspect of %s', async (folder) => {
  expect(await outcome(engine.inspect(folderOf(folder)))).toEqual(await outcome(inspect(folderOf(folder))));
});
