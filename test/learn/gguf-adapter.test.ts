import { expect, test } from 'vitest';
import { type Adapter, loadAdapter } from '../../src/learn/index.ts';
import { ggufNames } from '../../src/load/gguf-names.ts';
import { load } from '../../src/run/load.ts';
import { expectClose } from '../close.ts';
import { f32, familyGguf, permuted } from '../load/gguf-families.ts';
import { encodeGguf, type GgufTensor, type GgufValue } from '../load/tiny-gguf.ts';
import { expectedLogits, firstIds, fixtureAdapter, openLearner } from './adapter-fixtures.ts';

const close = { absolute: 5e-4 };

/** An adapter of peft's as llama.cpp's converter writes it: heads' rows of queries and keys interleaved, tables turned. */
function ggufAdapter(
  { config, content }: Adapter,
  heads: Record<string, number>,
  fields: Record<string, GgufValue> = {},
) {
  const tensors: GgufTensor[] = [];
  for (const [name, { data, shape }] of content.tensors) {
    const [, module, table, half] = /^base_model\.model\.model\.(.+)\.lora_(embedding_)?([AB])/.exec(name) ?? [];
    if (module === undefined) continue;
    const [rows, columns] = shape as [number, number];
    const nHead = half === 'B' ? heads[module.split('.').at(-1)!] : undefined;
    let values = nHead ? permuted(data as Float32Array<ArrayBuffer>, rows, nHead) : (data as Float32Array<ArrayBuffer>);
    const isTurned = table !== undefined && half === 'A';
    if (isTurned) values = Float32Array.from(data, (_, i) => data[(i % rows) * columns + Math.floor(i / rows)]!);
    tensors.push({
      name: `${ggufNames.llama.toGguf(`${module}.weight`)}.lora_${half!.toLowerCase()}`,
      type: 0,
      axes: isTurned ? [rows, columns] : [columns, rows],
      bytes: new Uint8Array(values.buffer as ArrayBuffer, values.byteOffset, values.byteLength).slice(),
    });
  }
  const own = {
    'general.architecture': 'llama',
    'general.type': 'adapter',
    'adapter.type': 'lora',
    'adapter.lora.alpha': f32(config.alpha),
    ...fields,
  };
  const parts = { version: 3, fields: new Map(Object.entries(own)), moreFields: [], tensors, alignment: 32 };
  return new File([encodeGguf(parts)], 'adapter.gguf');
}

const heads = { q_proj: 6, k_proj: 2 };

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
