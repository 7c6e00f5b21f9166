import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openCheckpoint } from '../../src/load/open.ts';

const tool = fileURLToPath(new URL('../../tools/gguf.mjs', import.meta.url));
const tinyGpt2 = fileURLToPath(new URL('../fixtures/tiny-gpt2', import.meta.url));
const gguf = (...args: string[]) => spawnSync(process.execPath, [tool, ...args], { encoding: 'utf8' });

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vitrine-gguf-tool-'));
});
afterAll(() => rm(folder, { recursive: true }));

test('writes a file that opens', async () => {
  const out = join(folder, 'tiny.gguf');
  const { status, stdout, stderr } = gguf(tinyGpt2, out, '--type', 'q4_0', '--without-tokenizer');
  expect(stderr).toBe('');
  expect(stdout).toBe(`${out}: 0.4 MB\n`);
  expect(status).toBe(0);
  const checkpoint = await openCheckpoint(out);
  expect(checkpoint.config.nLayer).toBe(3);
  expect(await checkpoint.tokenizerFiles()).toEqual({});
});

test.each([[[]], [['a']], [[tinyGpt2, 'out', 'more']], [[tinyGpt2, 'out', '--type', 'q3']]])(
  '%j: the usage',
  (args: string[]) => {
    const { status, stderr } = gguf(...args);
    expect(stderr).toContain('--type f32|f16|q8_0|q4_0');
    expect(status).toBe(2);
  },
);
