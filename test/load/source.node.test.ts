import { chmod, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openCheckpoint, type Source } from '../../src/load/open.ts';
import { gpt2Plan } from '../../src/model/gpt2.ts';
import type { ErrorCode } from '../../src/plan/error.ts';
import { expectSame, readAll } from './read.ts';
import { encodeSafetensors, tinyCheckpoint, tinyFiles } from './tiny-checkpoint.ts';

const { config, tensors } = tinyCheckpoint();
const json = JSON.stringify(config);
const weights = encodeSafetensors(tensors);
const expected = await readAll(await openCheckpoint(tinyFiles()));

/** The URLs that a source asks for when nothing is there. */
async function asked(source: Source, options: { endpoint?: string; revision?: string } = {}): Promise<string[]> {
  const urls: string[] = [];
  const nothing: typeof fetch = async (url) => {
    urls.push(String(url));
    return new Response('', { status: 404 });
  };
  await expect(openCheckpoint(source, { ...options, fetch: nothing })).rejects.toMatchObject({ code: 'network' });
  return urls;
}

describe('hub ids and URLs', () => {
  test.each<[Source, { endpoint?: string; revision?: string }, string[]]>([
    [
      'openai-community/gpt2',
      {},
      [
        'https://huggingface.co/openai-community/gpt2/resolve/main/config.json',
        'https://huggingface.co/api/models/openai-community/gpt2/revision/main?blobs=true',
      ],
    ],
    [
      'gpt2',
      {},
      [
        'https://huggingface.co/gpt2/resolve/main/config.json',
        'https://huggingface.co/api/models/gpt2/revision/main?blobs=true',
      ],
    ],
    [
      'a/b.c-d_e',
      { revision: 'v1.0' },
      [
        'https://huggingface.co/a/b.c-d_e/resolve/v1.0/config.json',
        'https://huggingface.co/api/models/a/b.c-d_e/revision/v1.0?blobs=true',
      ],
    ],
    [
      'a/b',
      { revision: 'refs/pr/2' },
      [
        'https://huggingface.co/a/b/resolve/refs%2Fpr%2F2/config.json',
        'https://huggingface.co/api/models/a/b/revision/refs%2Fpr%2F2?blobs=true',
      ],
    ],
    [
      'a/b',
      { endpoint: 'https://mirror.example/hf/' },
      [
        'https://mirror.example/hf/a/b/resolve/main/config.json',
        'https://mirror.example/hf/api/models/a/b/revision/main?blobs=true',
      ],
    ],
    ['https://x.example/models/tiny/', {}, ['https://x.example/models/tiny/config.json']],
    [new URL('https://x.example/tiny/'), {}, ['https://x.example/tiny/config.json']],
    ['https://x.example/tiny/w.safetensors?key=1', {}, ['https://x.example/tiny/config.json']],
  ])('%s %j', async (source, options, urls) => {
    const [config, ...listing] = urls;
    const beside = (file: string) => config!.replace('config.json', file);
    const weights = typeof source === 'string' && /\w+\.safetensors.*$/.exec(source)?.[0];
    const all = [config, beside(weights || 'model.safetensors'), ...listing, beside('adapter_config.json')];
    expect(await asked(source, options)).toEqual(all);
  });
});

test.each<[string, unknown, ErrorCode, string]>([
  ['an empty string', '', 'bad-option', 'neither a hub id, a URL nor a path'],
  ['words', 'my model', 'bad-option', 'neither a hub id'],
  ['three parts', 'a/b/c', 'bad-option', 'a hub id reads owner/name'],
  ['a file name without ./', 'model.safetensors', 'bad-option', 'A path begins with ./'],
  ['a URL that is no folder', 'https://x.example/tiny', 'bad-option', 'ends in /'],
  ['half a URL', 'https://', 'bad-option', 'neither a hub id'],
  [
    'a file: URL of another machine',
    'file://elsewhere/tiny',
    'bad-checkpoint',
    'file://elsewhere/tiny could not be read',
  ],
  ['another scheme', 'ftp://x.example/tiny/', 'bad-option', 'neither a hub id'],
  ['undefined', undefined, 'bad-option', 'The source is undefined'],
  ['a number', 7, 'bad-option', 'The source is number'],
  ['an object', {}, 'bad-option', 'The source is object'],
  ['no files', [], 'bad-option', 'a list of 0'],
  ['strings in a list', ['config.json'], 'bad-option', 'not all files'],
  [
    'two files of one name',
    [new File(['{}'], 'config.json'), new File(['{}'], 'config.json')],
    'bad-checkpoint',
    'Two of the files are config.json',
  ],
  ['an ONNX file', 'https://x.example/gpt2.onnx', 'unsupported-checkpoint', 'is in the format ONNX'],
  ['a pickle', 'https://x.example/pytorch_model.bin', 'unsupported-checkpoint', 'save_pretrained'],
  ['no such path', './no/such/folder', 'bad-checkpoint', 'There is no file or folder ./no/such/folder'],
])('%s is refused', async (_, source, code, message) => {
  const error = await openCheckpoint(source as Source).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ name: 'VitrineError', code });
  expect((error as Error).message).toContain(message);
});

test.each(['revision', 'endpoint', 'token'])('%s is for the hub', async (option) => {
  const sources = ['https://x.example/tiny/', new URL('https://x.example/w.gguf'), './tiny', [new File([], 'x')]];
  for (const source of sources) {
    const opening = openCheckpoint(source, { [option]: 'https://x.example' });
    await expect(opening).rejects.toMatchObject({ code: 'bad-option' });
    await expect(opening).rejects.toThrow(`The option ${option} is for hub ids`);
  }
});

describe('files and blobs', () => {
  test('a weight file of another name, if it is the only one', async () => {
    const files = [new File([json], 'config.json'), new File([weights], 'my-tiny.safetensors')];
    expectSame(await readAll(await openCheckpoint(files)), expected);
    await expect(openCheckpoint([...files, new File([weights], 'other.safetensors')])).rejects.toThrow(
      'no model.safetensors',
    );
  });

  test('blobs without names are known by what they hold', async () => {
    const blobs = [weights, json, '#version: 0.2\n', '{"version":"1.0","truncation":null}'].map(
      (part) => new Blob([part]),
    );
    const checkpoint = await openCheckpoint(blobs);
    expectSame(await readAll(checkpoint), expected);
    expect(await checkpoint.tokenizerFiles()).toEqual({ tokenizerJson: '{"version":"1.0","truncation":null}' });
    const words = ['{"!":0,"\\u0120n":1}', '{ "\\"" : 0 ,"a":1}', '{"a":12}'];
    for (const vocab of words) {
      const checkpoint = await openCheckpoint(
        [weights, json, '#version: 0.2\n', vocab].map((part) => new Blob([part])),
      );
      expect(await checkpoint.tokenizerFiles()).toMatchObject({ vocab });
    }
    await expect(openCheckpoint([new Blob([json]), new Blob(['GGUF'])])).rejects.toThrow('model.gguf ends at byte 4');
  });

  test('a file that cannot be read any more', async () => {
    const blob = new Blob([weights]);
    blob.slice = () => ({ arrayBuffer: () => Promise.reject(new Error('gone')) }) as unknown as Blob;
    const file = Object.assign(blob, { name: 'model.safetensors' });
    await expect(openCheckpoint([new File([json], 'config.json'), file])).rejects.toMatchObject({
      code: 'bad-checkpoint',
      message: expect.stringContaining('model.safetensors could not be read: gone'),
    });
  });
});

describe('paths', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tiny checkpoint '));
    await writeFile(join(folder, 'config.json'), json);
    await writeFile(join(folder, 'model.safetensors'), weights);
  });
  afterAll(() => rm(folder, { recursive: true }));

  test('of a folder, with and without a slash, of a file, as a file: URL', async () => {
    const url = pathToFileURL(folder).href;
    const sources = [
      folder,
      `${folder}/`,
      `${folder}/model.safetensors`,
      url,
      `${url}/model.safetensors`,
      new URL(url),
    ];
    for (const source of sources) expectSame(await readAll(await openCheckpoint(source)), expected);
  });

  test('every handle is closed, reading to the end or not', async () => {
    const handles = async () => (process.platform === 'linux' ? (await readdir('/proc/self/fd')).length : 0);
    const before = await handles();
    for (let i = 0; i < 20; i++) {
      const checkpoint = await openCheckpoint(folder);
      for (const weight of checkpoint.check(gpt2Plan(checkpoint.config).weights))
        for await (const _ of checkpoint.read(weight)) break;
      await readAll(checkpoint);
    }
    await expect.poll(handles).toBeLessThan(before + 10);
  });

  test('of a folder without weights, and of a file that may not be read', async () => {
    const bare = await mkdtemp(join(tmpdir(), 'bare-'));
    await writeFile(join(bare, 'config.json'), json);
    await expect(openCheckpoint(bare)).rejects.toThrow(`There is no model.safetensors in ${bare}/.`);
    if (process.getuid?.() !== 0) {
      await chmod(join(bare, 'config.json'), 0);
      await expect(openCheckpoint(bare)).rejects.toMatchObject({ code: 'bad-checkpoint' });
    }
    await rm(bare, { recursive: true });
  });
});
