import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openCheckpoint } from '../../src/load/open.ts';
import { readAll } from '../load/read.ts';

const tool = join(import.meta.dirname, '../../tools/make-checkpoint.mjs');
const shape = ['--layers', '2', '--embd', '96', '--heads', '3', '--vocab', '500', '--ctx', '32'];

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'made-'));
});
afterAll(() => rm(folder, { recursive: true }));

function make(name: string, ...flags: string[]): string {
  execFileSync(process.execPath, [tool, join(folder, name), ...shape, ...flags], { stdio: 'pipe' });
  return join(folder, name);
}

test('a checkpoint of the shape asked for, with channels in the thousands', async () => {
  const checkpoint = await openCheckpoint(make('f32'));
  expect(checkpoint.config).toMatchObject({ nLayer: 2, nEmbd: 96, nHead: 3, vocabSize: 500, nCtx: 32 });
  const weights = await readAll(checkpoint);
  expect(Math.max(...weights.get('wpe.weight')!.subarray(0, 96))).toBe(3000);
  expect(Math.min(...weights.get('h.0.mlp.c_proj.bias')!)).toBe(-260);
  const wte = weights.get('wte.weight')!;
  const spread = Math.sqrt(wte.reduce((sum, value) => sum + value * value, 0) / wte.length);
  expect(spread).toBeCloseTo(0.1, 2);
});

test('the same seed gives the same bytes, another seed others; f16 is the same, rounded', async () => {
  const bytes = (path: string) => readFile(join(path, 'model.safetensors'));
  const first = await bytes(make('one', '--seed', '5'));
  expect(first.equals(await bytes(make('again', '--seed', '5')))).toBe(true);
  expect(first.equals(await bytes(make('other', '--seed', '6')))).toBe(false);
  const f32 = await readAll(await openCheckpoint(join(folder, 'one')));
  const f16 = await readAll(await openCheckpoint(make('half', '--seed', '5', '--dtype', 'f16')));
  for (const [name, values] of f32) {
    const rounded = f16.get(name)!;
    expect(values.findIndex((value, i) => Math.abs(value - rounded[i]!) > Math.abs(value) / 2048 + 2 ** -25)).toBe(-1);
  }
});

test('a flag that makes no sense is refused', () => {
  expect(() => make('bad', '--heads', '5')).toThrow('--embd is 96, no multiple of --heads 5');
  expect(() => make('bad', '--dtype', 'f64')).toThrow('--dtype is f64');
});
