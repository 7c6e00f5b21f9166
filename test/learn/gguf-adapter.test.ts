import { expect, test } from 'vitest';
import { loadAdapter } from '../../src/learn/index.ts';
import { load } from '../../src/run/load.ts';
import { expectClose } from '../close.ts';
import { f32, familyGguf } from '../load/gguf-families.ts';
import { encodeGguf, type GgufValue } from '../load/tiny-gguf.ts';
import { expectedLogits, firstIds, fixtureAdapter, openLearner } from './adapter-fixtures.ts';
import { ggufAdapter, heads } from './gguf-adapters.ts';

const close = { absolute: 5e-4 };

test.each(['end', 'all-linear', 'words'])('%s as a GGUF adapter is what it is in peft’s format', async (name) => {
  const expected = (await expectedLogits('llama-gqa')).get(name)!;
  const { model, logits } = await openLearner('llama-gqa');
  const adapter = await loadAdapter([ggufAdapter(await fixtureAdapter('llama-gqa', name), heads)]);
  if (name !== 'words') expect(() => adapter.files()).toThrow(/on its model/);
  await model.setAdapter(adapter);
  expectClose(await logits(), expected, close, 'on the model as safetensors');
  await model.setAdapter(await loadAdapter(adapter.files()));
  expectClose(await logits(), expected, close, 'as files of peft’s');
  model.dispose();
});

test('GGUF and peft adapters go on a GGUF model too', async () => {
  const expected = (await expectedLogits('llama-gqa')).get('end')!;
  const base = new File([encodeGguf(await familyGguf('llama-gqa', 'llama'))], 'model.gguf');
  const model = await load([base], { device: 'cpu' });
  const peft = await fixtureAdapter('llama-gqa', 'end');
  const ids = await firstIds('llama-gqa');
  for (const adapter of [peft, await loadAdapter([ggufAdapter(peft, heads)])]) {
    await model.setAdapter(adapter);
    expectClose((await model.logits(ids)).data, expected, close, adapter.name);
  }
  model.dispose();
});

test('without an alpha the scale is 1, and what is no LoRA is refused', async () => {
  const peft = await fixtureAdapter('llama-gqa', 'end');
  const plain = await loadAdapter([ggufAdapter(peft, heads, { 'adapter.lora.alpha': f32(0) })]);
  expect(plain.parts().lowRank.every(({ scale }) => scale === 1)).toBe(true);
  const bad: [Record<string, GgufValue>, string, RegExp][] = [
    [{ 'general.type': 'model' }, 'bad-checkpoint', /general.type.*"model"/],
    [{ 'adapter.type': 'control_vector' }, 'unsupported-checkpoint', /control_vector/],
    [{ 'general.architecture': 'mamba' }, 'unsupported-checkpoint', /mamba/],
    [{ 'adapter.alora.invocation_tokens': [1] }, 'unsupported-checkpoint', /alora/],
  ];
  for (const [fields, code, words] of bad) {
    const failure = await loadAdapter([ggufAdapter(peft, heads, fields)]).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code });
    expect((failure as Error).message).toMatch(words);
  }
});
