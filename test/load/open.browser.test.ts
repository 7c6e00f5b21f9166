import { expect, test } from 'vitest';
import { openCheckpoint } from '../../src/load/open.ts';
import { loadTokenizer } from '../../src/text/load.ts';
import { readFixture } from '../fixtures.ts';
import { expectSame, readAll } from './read.ts';
import { tinyCheckpoint, tinyFiles } from './tiny-checkpoint.ts';
import { encodeGguf, tinyGguf } from './tiny-gguf.ts';

// Vite's server takes ranges, and answers what it does not have with its page and status 200.
const folder = new URL('/test/fixtures/tiny-gpt2/', location.href).href;

test('a folder on a server, relative to the page or not, and dropped files: the same weights', async () => {
  const names = ['config.json', 'model.safetensors'];
  const files = await Promise.all(
    names.map(async (name) => new File([new Uint8Array(await readFixture(`tiny-gpt2/${name}`))], name)),
  );
  const dropped = await readAll(await openCheckpoint(files));
  expectSame(await readAll(await openCheckpoint(folder)), dropped);
  expectSame(await readAll(await openCheckpoint('/test/fixtures/tiny-gpt2/')), dropped);
});

test('F16 that begins at an odd offset, from a server', async () => {
  const f16 = await readAll(await openCheckpoint(`${folder}model-f16.safetensors`));
  expectSame(await readAll(await openCheckpoint(`${folder}model-old-prefixed-f16.safetensors`)), f16);
});

test('files chosen in a page', async () => {
  const transfer = new DataTransfer();
  for (const file of tinyFiles(tinyCheckpoint())) transfer.items.add(file);
  expect((await readAll(await openCheckpoint(transfer.files))).size).toBe(16);
});

test('a dropped GGUF file', async () => {
  const transfer = new DataTransfer();
  transfer.items.add(new File([encodeGguf(tinyGguf())], 'tiny.gguf'));
  const checkpoint = await openCheckpoint(transfer.files);
  expect((await readAll(checkpoint)).size).toBe(16);
  const { encode } = await loadTokenizer(await checkpoint.tokenizerFiles(), checkpoint.config.vocabSize);
  expect(encode('cab')).toEqual([2, 14]);
});

test('a page in place of the files is refused', async () => {
  await expect(openCheckpoint(new URL('/none/', location.href))).rejects.toMatchObject({
    code: 'network',
    message: expect.stringContaining('web page'),
  });
});

test('a server that cannot be reached', async () => {
  await expect(openCheckpoint('http://127.0.0.1:9/')).rejects.toMatchObject({ code: 'network' });
});

/** What a script in a frame tells, without a page or a folder of its own. */
async function inFrame(setUp: (frame: HTMLIFrameElement, page: string) => void): Promise<unknown> {
  const frame = document.createElement('iframe');
  const told = new Promise((resolve) => {
    addEventListener('message', function hear({ source, data }) {
      if (source !== frame.contentWindow) return;
      removeEventListener('message', hear);
      resolve(data);
    });
  });
  const script = `
    import { openCheckpoint } from '${location.origin}/src/load/open.ts';
    import { EngineWorker } from '${location.origin}/src/embed/client.ts';
    const tell = (told) => parent.postMessage(told, '*');
    try {
      const checkpoint = await openCheckpoint(PATH, { cache: false });
      const engine = new EngineWorker();
      const model = await engine.load(PATH, { cache: false, device: 'cpu' });
      tell([checkpoint.config.nLayer, model.config.nLayer]);
    } catch (error) {
      tell(String(error));
    }`;
  setUp(frame, `<!doctype html><script type="module">${script}</script>`);
  document.body.append(frame);
  return told.finally(() => frame.remove());
}

test('in a srcdoc document, paths begin from the page around it', async () => {
  const told = await inFrame((frame, page) => {
    frame.srcdoc = page.replaceAll('PATH', "'/test/fixtures/tiny-gpt2/'");
  });
  expect(told).toEqual([3, 3]);
});

test('in a blob: document, from its server or from <base>', async () => {
  for (const [path, base] of [
    ['/test/fixtures/tiny-gpt2/', ''],
    ['./tiny-gpt2/', `<base href="${location.origin}/test/fixtures/">`],
  ] as const) {
    const told = await inFrame((frame, page) => {
      frame.src = URL.createObjectURL(new Blob([base + page.replaceAll('PATH', `'${path}'`)], { type: 'text/html' }));
    });
    expect(told).toEqual([3, 3]);
  }
});
