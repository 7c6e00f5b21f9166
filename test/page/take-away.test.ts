import { afterAll, expect, test } from 'vitest';
import type { Edit } from '../../src/index.ts';
import { codeOf, csvOf } from '../../src/page/inside/take/files.ts';
import { openFixture } from '../run/models.ts';

const model = await openFixture('tiny-gpt2');
afterAll(() => model.dispose());

const ids = [506, 221, 587, 79, 735];
const AsyncFunction = (async () => {}).constructor as new (
  ...text: string[]
) => (load: unknown, console: { log(value: number): void }) => Promise<void>;

/** Runs the code that the page hands out, with the fixture in the place of what it loads. */
async function printed(code: string): Promise<{ source: unknown; value: number }> {
  const [first, ...rest] = code.split('\n');
  expect(first).toBe("import { load } from 'vitrine';");
  let [source, value] = [undefined as unknown, Number.NaN];
  const load = async (asked: unknown) => {
    source = asked;
    return model;
  };
  await new AsyncFunction('load', 'console', rest.join('\n'))(load, { log: (is) => (value = is) });
  return { source, value };
}

const set = new Float32Array(5).fill(0.2);
test.each<[name: string, tensor: string, index: number[], edits: Edit[]]>([
  ['a residual', 'blocks.1.hook_resid_post', [3, 7], []],
  ['a share of attention', 'blocks.0.attn.hook_pattern', [1, 4, 2], []],
  [
    'a head’s output in a run that was touched',
    'blocks.1.attn.hook_z',
    [4, 1, 3],
    [
      { name: 'blocks.0.attn.hook_pattern', head: 0, position: 4, set },
      { name: 'blocks.0.hook_mlp_out', scale: 0.5 },
    ],
  ],
])('the code that makes %s prints it', async (_, tensor, index, edits) => {
  const text = 'He said “no”\n\u2028*/ `twice`';
  const { source, value } = await printed(codeOf({ source: 'https://host/a "b"/', ids, text, edits, tensor, index }));
  expect(source).toBe('https://host/a "b"/');
  const { data, shape } = (await model.trace(ids, { capture: [tensor], edits })).get(tensor)!;
  expect(value).toBe(data[index.reduce((place, i, axis) => place * shape[axis]! + i, 0)]);
});

test('a tensor as CSV has each number whole, after its indices', async () => {
  const name = 'blocks.0.attn.hook_z';
  const tensor = (await model.trace(ids, { capture: [name] })).get(name)!;
  const [head, ...lines] = csvOf(tensor).trimEnd().split('\n');
  const [rows, heads, width] = tensor.shape as [number, number, number];
  expect(head!.split(',').slice(0, 4)).toEqual(['axis0', 'axis1', '0', '1']);
  expect(lines).toHaveLength(rows * heads);
  const cells = lines.map((line) => line.split(',').map(Number));
  expect(cells.map((line) => line.slice(0, 2))).toEqual(
    Array.from({ length: rows * heads }, (_, i) => [Math.floor(i / heads), i % heads]),
  );
  expect(Float32Array.from(cells.flatMap((line) => line.slice(2)))).toEqual(tensor.data);
  expect(cells[0]).toHaveLength(2 + width);
  expect(csvOf({ data: Float32Array.of(-Infinity, 1), shape: [2] })).toBe('0,1\n-Infinity,1\n');
});
