import { afterAll, expect, test } from 'vitest';
import { load } from '../../src/index.ts';
import { openCheckpoint } from '../../src/load/open.ts';
import { gpt2Plan } from '../../src/model/gpt2.ts';
import type { Cell } from '../../src/page/inside/looking.ts';
import { type Numbers, numberAt, originOf } from '../../src/page/inside/origin.ts';
import { planOf } from '../../src/page/inside/plan.ts';
import { familyFiles } from '../model/families.ts';
import { fixtureFiles, openFixture } from '../run/models.ts';

const ids = [506, 221, 587, 79, 735];
const { config } = await openCheckpoint(await fixtureFiles('tiny-gpt2'));
const model = await openFixture('tiny-gpt2');
afterAll(() => model.dispose());

const all = await model.trace(ids, { capture: ['*'], logits: [...ids.keys()] });

/** What the page asks the model for: once each, as all operands of all cells are asked for here. */
function numbersWith(edits: Numbers['edits'] = []): Numbers {
  return {
    plan: gpt2Plan(config),
    ids,
    edits,
    tensor: async (name) => (edits.length > 0 ? await model.trace(ids, { capture: [name], edits }) : all).get(name)!,
    logits: async (position) =>
      all.logits.data.subarray(position * config.vocabSize, (position + 1) * config.vocabSize),
    weightRow: async (name, row) => (await model.weight(name, { rows: [row] })).data,
  };
}

const { nEmbd, nHead, nInner } = config;
const headDim = nEmbd / nHead;
const tensor = (name: string, ...index: number[]): Cell => ({ kind: 'tensor', name, index });

/** One cell of every tensor there is, each at some odd place. */
const cells = [
  ...model.tensors().map(({ name, shape }) => {
    if (shape[0] !== 'rows') return tensor(name, 1, 3, 2);
    if (shape.length === 3) return tensor(name, 4, nHead - 1, headDim - 1);
    return tensor(name, 3, shape[1] === 1 ? 0 : shape[1] === nInner ? nInner - 1 : nEmbd - 1);
  }),
  tensor('logits', 4, 999),
  tensor('blocks.1.attn.hook_pattern', 0, 1, 3),
  tensor('blocks.1.attn.hook_attn_scores', 0, 1, 3),
];

test.each(cells.map((cell) => [`${cell.name} [${cell.index}]`, cell] as const))(
  '%s is what its operands give',
  async (_, cell) => {
    const numbers = numbersWith();
    const origin = await originOf(cell, numbers);
    if (Number.isFinite(origin.value)) expect(origin.result).toBeCloseTo(origin.value, 4);
    else expect(origin.result).toBe(origin.value);
    expect(origin.formula).not.toBe('');
    const operands = [
      ...origin.written.filter((part) => typeof part !== 'string'),
      ...origin.terms.flatMap((t) => t.operands),
    ];
    if (Number.isFinite(origin.value) && origin.result !== 0) expect(operands.length).toBeGreaterThan(0);
    // Each operand is a link: the number there is the number shown, and it has an origin of its own.
    for (const { cell: from, value } of operands.slice(0, 3)) {
      expect(await numberAt(from, numbers)).toBe(value);
      expect((await originOf(from, numbers)).value).toBe(value);
    }
  },
);

/** One cell of every tensor of a family's first two blocks; each is of a plan that other families do not have. */
test.each(['llama-gqa', 'qwen3', 'qwen3-window', 'gpt-neox', 'gpt-neo', 'opt'])(
  'every tensor of %s is what its operands give',
  async (name) => {
    const files = await familyFiles(name, ['config.json', 'model.safetensors', 'tokenizer.json']);
    const own = await load(files, { device: 'cpu', dtype: 'f32' });
    const plan = await planOf(own.config);
    const text = Array.from({ length: 9 }, (_, i) => 3 + 2 * i);
    const traced = await own.trace(text, { capture: ['*'] });
    const numbers: Numbers = {
      plan,
      ids: text,
      edits: [],
      tensor: async (of) => traced.get(of)!,
      logits: async (at) => traced.logits.data.subarray(at * plan.vocabSize, (at + 1) * plan.vocabSize),
      weightRow: async (of, row) => (await own.weight(of, { rows: [row] })).data,
    };
    const last = (axis: number | string) => (typeof axis === 'number' ? axis - 1 : 7);
    const places = [...own.tensors(), { name: 'logits', shape: ['rows', plan.vocabSize] }].flatMap(
      ({ name, shape }) => [
        tensor(name, ...shape.map(last)),
        tensor(name, ...shape.map((axis) => Math.floor(last(axis) / 2))),
        tensor(
          name,
          ...shape.map((_, i) => (i === shape.length - 1 ? 0 : 1)).map((at, i) => Math.min(at, last(shape[i]!))),
        ),
      ],
    );
    for (const place of places) {
      const origin = await originOf(place, numbers);
      const what = `${place.name} [${place.index}]`;
      if (Number.isFinite(origin.value)) expect(origin.result, what).toBeCloseTo(origin.value, 3);
      else expect(origin.result, what).toBe(origin.value);
    }
    own.dispose();
  },
);

test('a weight has no equation', async () => {
  const cell: Cell = { kind: 'weight', name: 'h.1.mlp.c_fc.weight', index: [7, 3] };
  const origin = await originOf(cell, numbersWith());
  const row = (await model.weight('h.1.mlp.c_fc.weight', { rows: [7] })).data;
  expect(origin).toMatchObject({ value: row[3], op: undefined, written: [] });
});

test('an edited tensor names its edits beside the equation', async () => {
  const edits = [{ name: 'blocks.1.hook_mlp_out', set: 0 }];
  const origin = await originOf(tensor('blocks.1.hook_mlp_out', 2, 5), numbersWith(edits));
  expect(origin.value).toBe(0);
  expect(origin.result).not.toBe(0);
  expect(origin.edits).toEqual(edits);
});

test('an edit of one head, or of one row, is named beside its own cells alone', async () => {
  const edits = [
    { name: 'blocks.1.attn.hook_z', head: 1, scale: 0 },
    { name: 'blocks.1.hook_mlp_out', position: 2, scale: 0 },
    { name: 'blocks.1.attn.hook_pattern', head: 0, position: 3, scale: 0 },
  ];
  const [z, mlp, pattern] = edits;
  const editsAt = async (name: string, ...index: number[]) =>
    (await originOf(tensor(name, ...index), numbersWith(edits))).edits;
  expect(await editsAt(z!.name, 2, 1, 0)).toEqual([z]);
  expect(await editsAt(z!.name, 2, 0, 0)).toEqual([]);
  expect(await editsAt(mlp!.name, 2, 0)).toEqual([mlp]);
  expect(await editsAt(mlp!.name, 3, 0)).toEqual([]);
  expect(await editsAt(pattern!.name, 0, 3, 1)).toEqual([pattern]);
  expect(await editsAt(pattern!.name, 0, 2, 1)).toEqual([]);
  expect(await editsAt(pattern!.name, 1, 3, 1)).toEqual([]);
});
