import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EngineWorker, WorkerVision } from '../../src/embed/client.ts';
import { type ImageSource, loadVision, type Vision, VitrineError } from '../../src/index.ts';

const folder = '/test/fixtures/families/vit/';
const engine = new EngineWorker();
const reference = await loadVision(folder, { device: 'cpu' });
afterAll(() => {
  engine.terminate();
  reference.dispose();
});

/** What both threads' models have. */
type EitherVision = Omit<Vision, 'dispose'> & { dispose(): void | Promise<void> };

const loaders: Record<string, () => Promise<EitherVision>> = {
  Vision: () => loadVision(folder, { device: 'cpu' }),
  WorkerVision: () => engine.loadVision(folder, { device: 'cpu' }),
};

async function failure(promise: Promise<unknown>): Promise<VitrineError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(VitrineError);
  return error as VitrineError;
}

const file = async () => (await fetch(`${folder}image2.png`)).blob();

async function shown(): Promise<HTMLImageElement> {
  const image = new Image();
  image.src = `${folder}image2.png`;
  await image.decode();
  return image;
}

async function drawn<C extends HTMLCanvasElement | OffscreenCanvas>(canvas: C): Promise<C> {
  const bitmap = await createImageBitmap(await file());
  Object.assign(canvas, { width: bitmap.width, height: bitmap.height });
  (canvas.getContext('2d') as CanvasRenderingContext2D).drawImage(bitmap, 0, 0);
  return canvas;
}

const images: Record<string, () => ImageSource | Promise<ImageSource>> = {
  Blob: file,
  'an address': () => `${folder}image2.png`,
  URL: () => new URL(`${folder}image2.png`, location.href),
  ImageBitmap: async () => createImageBitmap(await file()),
  ImageData: async () =>
    (await drawn(new OffscreenCanvas(1, 1))).getContext('2d')!.getImageData(0, 0, 53, 41) as ImageData,
  HTMLCanvasElement: () => drawn(document.createElement('canvas')),
  OffscreenCanvas: () => drawn(new OffscreenCanvas(1, 1)),
  HTMLImageElement: shown,
};

describe.each(Object.entries(loaders))('%s', (name, loader) => {
  let vision: EitherVision;
  beforeAll(async () => {
    vision = await loader();
  });
  afterAll(() => vision.dispose());

  test('says what it is', () => {
    expect(vision instanceof WorkerVision).toBe(name === 'WorkerVision');
    expect(vision.config).toEqual(reference.config);
    expect(vision.processor).toEqual(reference.processor);
    expect(vision.device).toEqual(reference.device);
    expect(vision.tensors()).toEqual(reference.tensors());
    expect(vision.weights()).toEqual(reference.weights());
  });

  test.each(Object.entries(images))('sees %s', async (_, image) => {
    const expected = await reference.run(await file());
    const given = await image();
    expect(await vision.run(given)).toEqual(expected);
    expect(await vision.run(given)).toEqual(expected); // it is still the caller's
  });

  test('answers', async () => {
    const image = await file();
    const pixels = await vision.preprocess(image);
    expect(pixels).toEqual(await reference.preprocess(image));
    expect(await vision.classify(pixels, { topK: 3 })).toEqual(await reference.classify(image, { topK: 3 }));
    expect(await vision.features(pixels)).toEqual(await reference.features(image));
    expect(pixels.pixels).toHaveLength(3 * 30 * 30); // sent, and not handed over
    const weight = await reference.weight('classifier.weight', { rows: [3, 1] });
    expect(await vision.weight('classifier.weight', { rows: [3, 1] })).toEqual(weight);
    const { steps } = await vision.profile(image, { repeats: 1 });
    expect(steps.length).toBe((await reference.profile(image, { repeats: 1 })).steps.length);
  });

  test.each([
    ['globs', ['blocks.*.attn.hook_pattern', 'embed.hook_embed']],
    ['a predicate', (name: string) => name.endsWith('hook_resid_post')],
  ])('traces by %s, with edits', async (_, capture) => {
    const edits = [{ name: 'blocks.0.attn.hook_z', head: 1, set: 0 }];
    const image = await file();
    const [trace, expected] = await Promise.all([
      vision.trace(image, { capture, edits }),
      reference.trace(image, { capture, edits }),
    ]);
    expect([...trace]).toEqual([...expected]);
    expect(trace.size).toBeGreaterThan(1);
    expect([trace.tokens, trace.logits]).toEqual([expected.tokens, expected.logits]);
    expect(trace.logits).not.toEqual((await reference.trace(image)).logits);
  });

  test.each<[string, (vision: EitherVision) => Promise<unknown>]>([
    ['an image', (v) => v.run(7 as never)],
    ['a file', (v) => v.classify(new Blob(['no image']))],
    ['an empty canvas', (v) => v.run(new OffscreenCanvas(0, 0))],
    ['a missing address', (v) => v.features('/no-such-image.png')],
    ['pixels', (v) => v.run({ pixels: new Float32Array(12), shape: [3, 2, 2] })],
    ['topK', (v) => v.classify({ pixels: new Float32Array(2700), shape: [3, 30, 30] }, { topK: 0 })],
    ['an unknown option', (v) => v.features('/no-such-image.png', { onProgress() {} } as object)],
    ['no options', (v) => v.run('/no-such-image.png', null as never)],
    ['trace', (v) => v.trace('/no-such-image.png', { capture: ['nope'] })],
    ['weight', (v) => v.weight('nope')],
  ])('refuses what is wrong with %s', async (_, call) => {
    expect((await failure(call(vision))).toJSON()).toEqual((await failure(call(reference))).toJSON());
  });

  test("a call that is cancelled rejects with its signal's reason", async () => {
    const reason = new Error('changed my mind');
    const image = await file();
    await expect(vision.run(image, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const running = new AbortController();
    const run = vision.run(await drawn(document.createElement('canvas')), { signal: running.signal });
    running.abort(reason);
    await expect(run).rejects.toBe(reason);
    expect(await vision.run(image)).toEqual(await reference.run(image));
  });

  test('ends', async () => {
    const other = await loader();
    await other[Symbol.asyncDispose]();
    await other.dispose();
    other[Symbol.dispose]();
    const pixels = { pixels: new Float32Array(2700), shape: [3, 30, 30] };
    for (const call of [() => other.run(pixels), () => other.trace(pixels), () => other.classify(pixels)]) {
      expect((await failure(call())).code).toBe('disposed');
    }
  });
});

test('a checkpoint of another kind is told apart, there as here', async () => {
  const there = await failure(engine.loadVision('/test/fixtures/tiny-gpt2/', { device: 'cpu' }));
  const here = await failure(loadVision('/test/fixtures/tiny-gpt2/', { device: 'cpu' }));
  expect(there.toJSON()).toEqual(here.toJSON());
  expect(here.code).toBe('unsupported-checkpoint');
  expect((await failure(engine.load(folder))).message).toContain('loadVision');
});
