import { expect, test } from 'vitest';
import { lessons } from '../../src/page/inside/lessons/lessons.ts';
import { words } from '../../src/page/inside/lessons/words.ts';
import type { Reading } from '../../src/page/inside/reading.ts';

const place = { layer: 0, head: 1, position: 0 };

/** What a step says of a reading with these tensors, in a model of this config. */
async function said(name: keyof typeof lessons, step: number, config: object, reading: object = {}): Promise<string> {
  const run = {
    model: { config },
    tensor: async () => ({ data: Float32Array.of(1, 2, 3, 4), shape: [1, 2, 2] }),
    ...reading,
  };
  const values = await lessons[name][step]!.values!(run as unknown as Reading, place);
  return (words.lessons[name].steps[step] as (...values: unknown[]) => string)(...values);
}

test('a head is as wide as its queries are, whatever the model is wide', async () => {
  expect(await said('queries', 0, { nEmbd: 16, nHead: 2 })).toContain('three vectors of 2 numbers');
});

test('a norm and an activation are called what they are', async () => {
  expect(await said('residual', 1, { rmsNormEpsilon: 1e-6 })).toContain(
    'RMSNorm divides it by the root of its mean square',
  );
  expect(await said('residual', 1, { layerNormEpsilon: 1e-6 })).toContain('LayerNorm takes away its mean');
  expect(await said('mlp', 0, { activation: 'silu' })).toContain('the curve SiLU');
});

test('characters are counted as a reader sees them, and a text of none is none', async () => {
  const tokens = (text: string, ...texts: string[]) =>
    said('tokens', 0, {}, { ids: texts.map((_, i) => i), texts, text });
  expect(await tokens('👨‍👩‍👧é', '👨‍👩‍👧', 'é')).toContain('Your 2 characters became 2 tokens');
  expect(await tokens('A', 'A')).toContain('Your one character became one token:');
  expect(await tokens('A', '<s>', 'A')).toContain('Your one character became 2 tokens:'); // what begins a text is none of it
  expect(await tokens('', '<|endoftext|>')).toMatch(/^There is no text yet/);
});

test('where nothing comes twice, no head is said to have found it', async () => {
  const run = { ids: [1, 2], model: { config: { nLayer: 1 } } } as unknown as Reading;
  const { values } = await lessons.induction[1]!.find!(run, () => {}, new AbortController().signal);
  const text = (words.lessons.induction.steps[1] as (...values: unknown[]) => string)(...values);
  expect(text).toMatch(/^Nothing in your text comes twice/);
  expect(text).not.toMatch(/block {2}|undefined/);
});
