import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'compare-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs the script on files of these texts. */
function compare(...texts: (string | object)[]) {
  const paths = texts.map((text, i) => {
    const path = join(folder, `${'ab'[i]}.json`);
    writeFileSync(path, typeof text === 'string' ? text : JSON.stringify(text));
    return path;
  });
  const { status, stdout, stderr } = spawnSync('node', ['bench/compare.mjs', ...paths], { encoding: 'utf8' });
  return { status, out: stdout.replaceAll(`${folder}/`, ''), error: stderr.replaceAll(`${folder}/`, '') };
}

const first = {
  ...{ title: 'x', model: 'small', machine: { adapter: 'acme', cores: 8 }, plan: { repeats: 3 } },
  rows: [
    {
      ...{ name: 'webgpu f32', load: 100, firstToken: 50, bytes: 4000, counts: { dispatches: 64 } },
      ...{ prefill: { 64: [9, 10, 30] }, decode: { 16: [2, 4] } },
    },
    { name: 'webgpu q4', load: 80, firstToken: 40, prefill: {}, decode: {} },
  ],
  variants: [{ name: 'f32, one row, lanes', steps: [{ name: 'attn.c_attn', microseconds: 12 }] }],
};

test('the figures of both, their ratios, and what else differs', () => {
  const second: Omit<typeof first, 'rows'> & { rows: object[] } = structuredClone(first);
  second.rows = [{ ...second.rows[0]!, prefill: { 64: [5] }, decode: { 16: [3], 512: [4] } }];
  second.machine = { adapter: 'ajax', cores: 8 };
  second.variants[0]!.steps = [{ name: 'attn.c_attn', microseconds: 18 }];
  const { status, out, error } = compare(first, second);
  expect({ status, error }).toEqual({ status: 0, error: '' });
  expect(out.trim().split('\n')).toEqual([
    '| | | a.json | b.json | ratio |',
    '| --- | --- | ---: | ---: | ---: |',
    '| webgpu f32 | load, ms | 100 | 100 | 1.000 |',
    '| webgpu f32 | first token, ms | 50 | 50 | 1.000 |',
    '| webgpu f32 | prefill 64, ms | 10 | 5 | 0.500 |',
    '| webgpu f32 | token at 16, ms | 3 | 3 | 1.000 |',
    '| webgpu f32 | weights, bytes | 4000 | 4000 | 1.000 |',
    '| webgpu f32 | dispatches a token | 64 | 64 | 1.000 |',
    '| f32, one row, lanes | attn.c_attn, µs | 12 | 18 | 1.500 |',
    '',
    'What else differs:',
    '',
    '- machine adapter: "acme" -> "ajax"',
    '',
    'Only in a.json:',
    '',
    '- webgpu q4: load, ms',
    '- webgpu q4: first token, ms',
    '',
    'Only in b.json:',
    '',
    '- webgpu f32: token at 512, ms',
  ]);
});

test('rows of one name are told apart by their threads', () => {
  const rows = [1, 2].map((threads) => ({ name: 'wasm f32', threads, load: 10 * threads }));
  const { out } = compare({ rows }, { rows: [rows[1]] });
  expect(out).toContain('| wasm f32, 2 threads | load, ms | 20 | 20 | 1.000 |');
  expect(out).toContain('- wasm f32, 1 threads: load, ms');
});

test('a published run compares with itself', () => {
  const { status, stdout } = spawnSync(
    'node',
    ['bench/compare.mjs', 'docs/benchmarks/all.json', 'docs/benchmarks/all.json'],
    { encoding: 'utf8' },
  );
  expect(status).toBe(0);
  expect(stdout).toContain('| vitrine webgpu q8 | token at 64, ms |');
  expect(stdout).not.toMatch(/Only in|differs/);
});

test.each([
  ['{', /a\.json is no result: it is no JSON/],
  ['[1]', /a\.json is no result: it holds no object/],
  ['{"name":"vitrine","version":"1.0.0"}', /it has no list of rows/],
  ['{"rows":[3]}', /row 0 has no name/],
  ['{"rows":[{"name":"x","decode":{"16":[]}}]}', /decode 16 of x is no list of milliseconds/],
  ['{"rows":[{"name":"x","prefill":{"16":["3"]}}]}', /prefill 16 of x is no list of milliseconds/],
  ['{"rows":[],"variants":[{"name":"x"}]}', /variant 0 has no steps/],
  ['{"rows":[]}', /have no figure in common/],
])('%s is refused', (text, message) => {
  const { status, out, error } = compare(text, first);
  expect({ status, out }).toEqual({ status: 1, out: '' });
  expect(error).toMatch(message);
  expect(error).not.toMatch(/at .*compare\.mjs/); // no stack
});

test('a file that is not there, and a wrong number of files', () => {
  expect(spawnSync('node', ['bench/compare.mjs', 'none.json', 'none.json'], { encoding: 'utf8' }).stderr).toMatch(
    /no such file.*none\.json/,
  );
  expect(compare(first).error).toMatch(/^Usage: node bench\/compare\.mjs a\.json b\.json/);
});
