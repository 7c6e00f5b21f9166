import { copyFile, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gguf as readIndependently } from '@huggingface/gguf';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { load } from '../../src/index.ts';
import type { Progress } from '../../src/load/checkpoint.ts';
import { folderStore } from '../../src/load/folder-store.ts';
import { openCheckpoint } from '../../src/load/open.ts';
import { gpt2Plan } from '../../src/model/gpt2.ts';
import { packRows, unpackRow } from '../../src/plan/formats.ts';
import type { TensorType } from '../../tools/gguf/layout.ts';
import { writeGguf } from '../../tools/gguf/write.ts';
import { backends, isFull, sharedDevice } from '../backends.ts';
import { readFixtureJson } from '../fixtures.ts';
import { expectSame, readAll } from './read.ts';
import { hub, serve, type TestServer } from './server.ts';
import { encodeGguf, tinyGguf } from './tiny-gguf.ts';

const folderOf = (path: string) => fileURLToPath(new URL(`../../${path}/`, import.meta.url));
const tinyGpt2 = folderOf('test/fixtures/tiny-gpt2');
const nanoSort = folderOf('test/fixtures/nano-sort');
const scratch = await mkdtemp(join(tmpdir(), 'vitrine-gguf-'));
afterAll(() => rm(scratch, { recursive: true }));

let server: TestServer | undefined;
afterEach(() => server?.close());

/** A checkpoint written as GGUF; its path. */
async function written(folder: string, type: TensorType, withoutTokenizer = false): Promise<string> {
  const path = join(scratch, `${basename(folder)}-${type}-${withoutTokenizer}.gguf`);
  await writeGguf(await openCheckpoint(folder), path, { type, name: 'test', withoutTokenizer });
  return path;
}

const read = async (path: string) => readAll(await openCheckpoint(path));

/** Blocks of each type, and their values by gguf-py. */
const blocks = await readFixtureJson<Record<string, { bytes: string; values: string }>>('gguf-blocks.json');
describe('every type, as gguf-py reads it', () => {
  test.each([
    ['F16', 1],
    ['Q4_0', 2],
    ['Q4_1', 3],
    ['Q5_0', 6],
    ['Q5_1', 7],
    ['Q8_0', 8],
    ['Q2_K', 10],
    ['Q3_K', 11],
    ['Q4_K', 12],
    ['Q5_K', 13],
    ['Q6_K', 14],
    ['BF16', 30],
  ])('%s', async (name, type) => {
    const parts = tinyGguf({ nEmbd: 256, nCtx: 2 });
    const positions = parts.tensors.find((tensor) => tensor.name === 'position_embd.weight')!;
    Object.assign(positions, { type, bytes: new Uint8Array(Buffer.from(blocks[name]!.bytes, 'base64')) });
    const expected = new Float32Array(new Uint8Array(Buffer.from(blocks[name]!.values, 'base64')).buffer);
    const weights = await readAll(await openCheckpoint([new File([encodeGguf(parts)], 'tiny.gguf')]));
    const found = weights.get('wpe.weight')!;
    expect(expected.length).toBe(512);
    expect([...found.keys()].filter((i) => found[i] !== expected[i])).toEqual([]);
  });
});

describe('written, and read again', () => {
  test.each([tinyGpt2, nanoSort])('f32: every weight the same, turned or not; the config too: %s', async (folder) => {
    const path = await written(folder, 'f32');
    const [checkpoint, original] = [await openCheckpoint(path), await openCheckpoint(folder)];
    expectSame(await readAll(checkpoint), await readAll(original));
    expect(checkpoint.config).toEqual(original.config);
    expect(checkpoint.storedAs).toBe('f32');
  });

  test('f16: each matrix rounded', async () => {
    const f16 = await read(await written(tinyGpt2, 'f16'));
    const original = await openCheckpoint(tinyGpt2);
    const weights = await readAll(original);
    for (const { name, kind, columns } of gpt2Plan(original.config).weights) {
      const exact = kind === 'vector' || name === 'wpe.weight';
      expectSame(
        new Map([[name, f16.get(name)!]]),
        new Map([[name, exact ? weights.get(name)! : through('f16', weights.get(name)!, columns)]]),
      );
    }
  });

  test.each([
    ['q8_0', 'q8'],
    ['q4_0', 'q4'],
  ] as const)('%s: each matrix as %s keeps it; words and c_fc in eight bits, odd rows in f16', async (type, format) => {
    const found = await read(await written(tinyGpt2, type));
    const original = await openCheckpoint(tinyGpt2);
    const weights = await readAll(original);
    for (const { name, kind, columns } of gpt2Plan(original.config).weights) {
      const own = /^wte|mlp.c_fc/.test(name) ? 'q8' : format;
      const exact = kind === 'vector' || name === 'wpe.weight';
      const expected = exact ? weights.get(name)! : through(own, weights.get(name)!, columns);
      expectSame(new Map([[name, found.get(name)!]]), new Map([[name, expected]]));
    }
    const odd = await read(await written(nanoSort, type));
    const sorted = await readAll(await openCheckpoint(nanoSort));
    const name = 'h.0.attn.c_attn.weight'; // rows of 48
    expectSame(new Map([[name, odd.get(name)!]]), new Map([[name, through('f16', sorted.get(name)!, 48)]]));
  });

  test('the tokenizer, or none', async () => {
    const { tiny } = await readFixtureJson<{ tiny: { text: string; ids: number[] }[] }>('tokenizer.json');
    const own = await load(await written(tinyGpt2, 'q8_0'), { device: 'cpu' });
    for (const { text, ids } of tiny) expect(own.tokenizer.encode(text)).toEqual(ids);
    expect(own.tokenizer.encode('<|endoftext|>', { special: true })).toEqual([999]);
    expect(tiny.length).toBeGreaterThan(40);
    const none = await load(await written(tinyGpt2, 'q8_0', true), { device: 'cpu' });
    expect(none.tokenizer.decode([7])).toBe('<7>');
  });

  test.each(['f32', 'q8_0', 'q4_0'] as const)('%s, as an independent reader finds it', async (type) => {
    const path = await written(tinyGpt2, type);
    const { metadata, tensorInfos, tensorDataOffset } = await readIndependently(path, { allowLocalFile: true });
    expect(metadata).toMatchObject({
      version: 3,
      'general.architecture': 'gpt2',
      'gpt2.block_count': 3,
      'gpt2.context_length': 128,
      'gpt2.embedding_length': 96,
      'gpt2.feed_forward_length': 384,
      'gpt2.attention.head_count': 3,
      'tokenizer.ggml.model': 'gpt2',
      'tokenizer.ggml.eos_token_id': 999,
    });
    expect((metadata as Record<string, unknown>)['tokenizer.ggml.tokens']).toHaveLength(1000);
    const weights = gpt2Plan((await openCheckpoint(path)).config).weights;
    expect(tensorInfos).toHaveLength(weights.length);
    const down = tensorInfos.find(({ name }) => name === 'blk.2.ffn_down.weight')!;
    expect([down.shape.map(Number), down.dtype]).toEqual([[384, 96], { f32: 0, q8_0: 8, q4_0: 2 }[type]]);
    const qkv = tensorInfos.find(({ name }) => name === 'blk.0.attn_qkv.weight')!;
    if (type !== 'f32') return;
    // Its bytes, where that reader says they are.
    const bytes = new Uint8Array(await readFile(path));
    const start = Number(tensorDataOffset) + Number(qkv.offset);
    const values = new Float32Array(bytes.slice(start, start + 4 * 96 * 288).buffer);
    const expected = (await read(tinyGpt2)).get('h.0.attn.c_attn.weight')!;
    expectSame(new Map([['qkv', values]]), new Map([['qkv', expected]]));
  });
});

/** Values as a format keeps them. */
function through(format: 'f16' | 'q8' | 'q4', values: Float32Array, columns: number): Float32Array {
  const packed = packRows(format, values, columns);
  const row = new Float32Array(Math.ceil(columns / 64) * 64);
  const out = new Float32Array(values.length);
  for (let r = 0; r * columns < values.length; r++) {
    unpackRow(format, packed, r, row);
    out.set(row.subarray(0, columns), r * columns);
  }
  return out.map((value) => value + 0); // no -0
}

// The same kernels as for any other file, which a software GPU compiles for seconds.
const devices = backends.map(({ name }) => name).filter((name) => isFull || name !== 'webgpu');

describe.each(devices)('logits on %s', (device) => {
  const formats = [
    ['q4_0', 'q4'],
    ['q8_0', 'q8'],
    ['f16', 'f16'],
    ['f32', 'f32'],
  ] as const;
  test.each(formats)('%s is the folder kept as %s', async (type, dtype) => {
    const ids = [464, 12, 7, 999, 300, 41];
    const logits = async (source: string) => {
      const model = await load(source, { device: device === 'webgpu' ? await sharedDevice() : device, dtype });
      const { data } = await model.logits(ids, { positions: [0, 3, 5] });
      model.dispose();
      return data;
    };
    expectSame(
      new Map([['logits', await logits(await written(tinyGpt2, type))]]),
      new Map([['logits', await logits(tinyGpt2)]]),
    );
  });
});

describe('where a file is', () => {
  const bytes = encodeGguf(tinyGguf());
  const expectedOf = async () => readAll(await openCheckpoint([new File([bytes], 'any.gguf')]));

  test('a URL', async () => {
    server = await serve({ 'models/tiny.gguf': bytes });
    expectSame(await readAll(await openCheckpoint(`${server.url}models/tiny.gguf`)), await expectedOf());
    expect(server.requests.every((request) => request.startsWith('GET /models/tiny.gguf bytes='))).toBe(true);
  });

  test.each([true, false])(
    'a repository without safetensors: Q8_0 of several, and says so (config.json: %s)',
    async (config) => {
      const wrong = new TextEncoder().encode('not this one');
      const names = ['tiny-F32.gguf', 'tiny.Q4_K_M.gguf', 'tiny.Q5_K_S.gguf', 'tiny-q2_k.gguf'];
      const others = Object.fromEntries(names.map((name) => [name, wrong]));
      const files = {
        ...others,
        'tiny.Q8_0.gguf': bytes,
        'README.md': 'words',
        ...(config && { 'config.json': '{}' }),
      };
      const repository = hub('owner/tiny', files);
      server = await serve(repository.contents, repository.answer);
      const told: Progress[] = [];
      const onProgress = (progress: Progress) => void told.push(progress);
      const checkpoint = await openCheckpoint('owner/tiny', { endpoint: server.url, onProgress });
      expectSame(await readAll(checkpoint), await expectedOf());
      expect(told[0]).toMatchObject({ stage: 'config', file: 'tiny.Q8_0.gguf', total: checkpoint.bytes });
    },
  );

  test('a repository, kept in a cache: the same without a network', async () => {
    const repository = hub('owner/tiny', { 'tiny.Q8_0.gguf': bytes, 'tiny.Q2_K.gguf': 'not this one' });
    server = await serve(repository.contents, repository.answer);
    const cache = folderStore(join(scratch, 'cache'));
    const options = { endpoint: server.url, cache };
    expectSame(await readAll(await openCheckpoint('owner/tiny', options)), await expectedOf());
    const offline: typeof fetch = () => Promise.reject(new TypeError('offline'));
    expectSame(await readAll(await openCheckpoint('owner/tiny', { ...options, fetch: offline })), await expectedOf());
    const { commit } = repository;
    for (const fetch of [globalThis.fetch, offline]) {
      const pinned = await openCheckpoint('owner/tiny', { ...options, revision: commit, fetch });
      expectSame(await readAll(pinned), await expectedOf());
    }
  });

  test('a folder', async () => {
    const folder = join(scratch, 'folder');
    await mkdir(folder);
    for (const type of ['f32', 'q8_0'] as const) {
      await copyFile(await written(tinyGpt2, type), join(folder, `tiny-${type.toUpperCase()}.gguf`));
    }
    expect((await openCheckpoint(folder)).storedAs).toBe('q8');
  });
});

test('kept as the file has them: each matrix in its own format, to the last bit', async () => {
  const ids = [4, 12, 7, 9];
  const open = async (file: string | File[], dtype: 'auto' | 'f32') => {
    const model = await load(file, { device: 'wasm', dtype });
    const [{ data }, { dtype: kept, bytes }] = [await model.logits(ids), model.device];
    model.dispose();
    return { data, kept, bytes };
  };
  const close = (found: Float32Array, expected: Float32Array) => {
    const apart = found.map((value, i) => Math.abs(value - expected[i]!));
    expect(Math.max(...apart)).toBeLessThan(1e-4 * Math.max(...expected.map(Math.abs)));
  };
  for (const type of ['q8_0', 'q4_0'] as const) {
    const path = await written(tinyGpt2, type);
    const [auto, exact] = [await open(path, 'auto'), await open(path, 'f32')];
    close(auto.data, exact.data);
    expect(auto.bytes).toBeLessThan(0.5 * exact.bytes);
  }
  // Q4_K is no format of ours, and goes into eight bits.
  const parts = tinyGguf({ nEmbd: 256, nCtx: 8 });
  for (const tensor of parts.tensors) {
    if (!tensor.name.startsWith('blk') || !tensor.name.endsWith('weight') || tensor.axes.length === 1) continue;
    const block = Buffer.from(blocks.Q4_K!.bytes, 'base64').subarray(0, 144);
    const count = tensor.axes.reduce((product, axis) => product * axis, 1) / 256;
    Object.assign(tensor, { type: 12, bytes: new Uint8Array(Buffer.concat(Array(count).fill(block))) });
  }
  expect((await open([new File([encodeGguf(parts)], 'k.gguf')], 'auto')).kept).toBe('q8');
});
