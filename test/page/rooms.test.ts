import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { inspect } from '../../src/index.ts';
import { type EmbeddedName, embeddedKinds } from '../../src/page/embedded.ts';
import { attentionsOf, stacksOf, tensorsOf } from '../../src/page/rooms/anatomy.ts';
import { treeOf } from '../../src/page/rooms/beam-tree.ts';
import { centredDigit, type Grey } from '../../src/page/rooms/digit-image.ts';
import { cards } from '../../src/page/rooms/words/models.ts';
import { maskedText, splitWords } from '../../src/page/rooms/words-of.ts';

const folder = (name: string) => fileURLToPath(new URL(`../../public/models/${name}/`, import.meta.url));

describe('the gallery', () => {
  test.each(Object.keys(cards) as EmbeddedName[])('says of %s what inspect says', async (name) => {
    const { kind, parameters, bytes } = await inspect(folder(name));
    expect({ kind, parameters, bytes }).toEqual({
      kind: embeddedKinds[name],
      parameters: cards[name].parameters,
      bytes: cards[name].bytes,
    });
  });

  test('names the sources whose licences ask for it', () => {
    expect(cards['tiny-digits'].sources).toMatch(/MNIST.*CC BY-SA 3\.0/);
    expect(cards['tiny-translate'].sources).toMatch(/Tatoeba.*CC BY 2\.0 FR/);
  });
});

describe('a drawn digit', () => {
  const side = 280;
  const drawing = (ink: (x: number, y: number) => boolean): Grey => ({
    data: Uint8Array.from({ length: side * side }, (_, i) => (ink(i % side, Math.floor(i / side)) ? 255 : 0)),
    width: side,
    height: side,
  });
  const boxOf = ({ data, width }: Grey) => {
    const inked = [...data.keys()].filter((i) => data[i]! > 0);
    const [xs, ys] = [inked.map((i) => i % width), inked.map((i) => Math.floor(i / width))];
    return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
  };

  test('is none where nothing is drawn', () => {
    expect(centredDigit(drawing(() => false))).toBeUndefined();
  });

  test.each([
    ['a tall bar in a corner', (x: number, y: number) => x < 20 && y < 100, [12, 4, 15, 23]],
    ['a flat bar at the lower edge', (x: number, y: number) => y >= 260 && x >= 180, [4, 12, 23, 15]],
    ['a dot', (x: number, y: number) => x === 279 && y === 0, [4, 4, 23, 23]],
    ['all of it', () => true, [4, 4, 23, 23]],
  ] as const)('is 20 pixels long and in the middle: %s', (_, ink, box) => {
    expect(boxOf(centredDigit(drawing(ink))!)).toEqual(box);
  });

  test('has its mass in the middle, not its box', () => {
    // Heavy on the left, with a thin tail to the right.
    const digit = centredDigit(drawing((x, y) => (x < 60 && y < 200) || (x < 140 && y >= 95 && y < 105)))!;
    const mass = digit.data.reduce((a, b) => a + b, 0);
    const x = digit.data.reduce((sum, value, i) => sum + value * ((i % 28) + 0.5), 0) / mass;
    expect(Math.abs(x - 14)).toBeLessThan(1);
    expect(boxOf(digit)[0]).toBeGreaterThan(5);
  });
});

test('words are split and masked with all that stands between them', () => {
  const text = ' “Don’t go,” said Ülo-Kai… 3 times!\n';
  const parts = splitWords(text);
  expect(parts.words).toEqual(['Don’t', 'go', 'said', 'Ülo-Kai', '3', 'times']);
  expect(maskedText(parts, new Set(), '[MASK]')).toBe(text);
  expect(maskedText(parts, new Set([1, 5]), '[MASK]')).toBe(' “Don’t [MASK],” said Ülo-Kai… 3 [MASK]!\n');
  expect(parts.with(0, 'Do')).toBe(' “Do go,” said Ülo-Kai… 3 times!\n');
  expect(splitWords('').words).toEqual([]);
});

test('beams are a tree that parts where they differ', () => {
  const beam = (ids: number[], score: number) => ({ ids, logprobs: ids.map((id) => -id), score });
  const [root, ...others] = treeOf([beam([1, 2, 3], -1), beam([1, 2, 4, 3], -2), beam([1, 2], -3)], String);
  expect(others).toEqual([]);
  expect(root!.tokens.map(({ id }) => id)).toEqual([1, 2]);
  expect(root!.score).toBe(-3); // a text that ends where others go on
  expect(
    root!.children.map(({ tokens, score, best }) => [tokens.map(({ text }) => text).join(''), score, best]),
  ).toEqual([
    ['3', -1, true],
    ['43', -2, false],
  ]);
});

test('attention and blocks are found by the names and shapes of any plan', () => {
  const names = ['encoder.0.hook_resid_pre', 'encoder.0.attn.hook_pattern', 'decoder.0.attn.hook_pattern'];
  const more = ['decoder.0.cross_attn.hook_pattern', 'decoder.1.cross_attn.hook_pattern'];
  const aliases = ['encoder_blocks.0.attn.hook_pattern', 'encoder.0.attn.hook_in'];
  const tensors = [...names, ...more, ...aliases].map((name) => ({ name, shape: [2, 'rows', 'context'] as const }));
  expect(attentionsOf(tensors as never).map(({ name, crosses }) => [name, crosses])).toEqual([
    [names[1], false],
    [names[2], false],
    [more[0], true],
    [more[1], true],
  ]);
  expect([...stacksOf(tensors as never)]).toEqual([
    ['encoder', 1],
    ['decoder', 2],
  ]);
  expect(tensorsOf(tensors as never, 'encoder', 0).map(({ name }) => name)).toEqual(names.slice(0, 2));
});
