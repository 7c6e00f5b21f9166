import { afterAll, expect, test } from 'vitest';
import { load } from '../../src/index.ts';
import { percent } from '../../src/page/format.ts';
import { type Start, type StartName, starts } from '../../src/page/start-here/texts.ts';
import { findingOf } from '../../src/page/start-here/words.ts';
import { readModelFile } from '../fixtures.ts';

const files = ['config.json', 'model.safetensors'].map(
  async (name) => new File([new Uint8Array(await readModelFile(`tiny-tales/${name}`))], name),
);
const model = await load(await Promise.all(files), { device: 'cpu' });
afterAll(() => model.dispose());

async function nextShares(text: string): Promise<Float64Array> {
  const { data } = await model.logits(text);
  const most = Math.max(...data);
  const raised = Float64Array.from(data, (logit) => Math.exp(logit - most));
  const sum = raised.reduce((a, b) => a + b, 0);
  return raised.map((one) => one / sum);
}

test.each(Object.entries(starts) as [StartName, Start][])(
  'what is said of the text “%s” is so in the model',
  async (name, start) => {
    const said = findingOf(name, start);
    for (const [token, share] of start.next ?? []) {
      const ids = model.tokenizer.encode(token);
      expect(ids).toHaveLength(1);
      const is = (await nextShares(start.text))[ids[0]!]!;
      expect(percent(share)).toBe(percent(is));
      expect(said).toContain(percent(is));
    }
    const ids = model.tokenizer.encode(start.text);
    if (start.rank) {
      const at = ids.indexOf(model.tokenizer.encode(start.rank[0])[0]!);
      const { ranks } = await model.score(start.text);
      expect(ranks[at]).toBe(start.rank[1]);
      expect(said).toContain((start.rank[1] - 1).toLocaleString('en'));
    }
    if (start.looks) {
      const { layer, head, at, token, share } = start.looks;
      const pattern = `blocks.${layer}.attn.hook_pattern`;
      const { data } = (await model.trace(start.text, { capture: [pattern] })).get(pattern)!;
      const row = data.subarray((head * ids.length + ids.length - 1) * ids.length, (head + 1) * ids.length ** 2);
      expect(row.indexOf(Math.max(...row))).toBe(at);
      expect(percent(row[at]!)).toBe(percent(share));
      expect(said).toContain(percent(share));
      expect(model.tokenizer.decode([ids[at]!])).toBe(token);
    }
    if (start.pieces) {
      const texts = ids.map((id) => model.tokenizer.decode([id]));
      expect(texts.slice(0, start.pieces.length)).toEqual(start.pieces);
      expect(start.pieces.join('')).toBe(start.text.split(' ')[0]);
    }
  },
);

test('the likeliest of the text without doubt, and of the one that repeats, are those that are named', async () => {
  for (const name of ['sure', 'repeats', 'who', 'facts'] as const) {
    const shares = await nextShares(starts[name].text);
    const likeliest = shares.indexOf(Math.max(...shares));
    expect(model.tokenizer.decode([likeliest])).toBe(starts[name].next[0][0]);
  }
  const [comma, there] = starts.sure.next;
  expect(comma[1] + there[1]).toBeGreaterThan(0.99);
  const other = await nextShares('Tom was a little boy.');
  expect(model.tokenizer.decode([other.indexOf(Math.max(...other))])).toBe(' He'); // what the visitor is asked to try
});
