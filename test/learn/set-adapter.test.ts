import { beforeAll, describe, expect, test } from 'vitest';
import { loadAdapter } from '../../src/learn/index.ts';
import { load } from '../../src/run/load.ts';
import { loadEncoder } from '../../src/run/loaders.ts';
import type { Model } from '../../src/run/model.ts';
import { pipeline } from '../../src/run/pipeline.ts';
import { expectClose } from '../close.ts';
import { familyFiles } from '../model/families.ts';
import { fixtureFiles } from '../run/models.ts';
import { adapterFiles, expectedLogits, firstIds, fixtureAdapter, openLearner } from './adapter-fixtures.ts';

const close = { absolute: 5e-4 };
const files = ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json', 'vocab.txt'];

describe.each(['cpu', 'wasm'] as const)('an adapter on %s', (device) => {
  let model: Model;
  let expected: Map<string, Float32Array>;
  let ids: number[];
  beforeAll(async () => {
    ({ model } = (await openLearner('tiny-gpt2', { device })) as { model: Model });
    expected = await expectedLogits('tiny-gpt2');
    ids = await firstIds('tiny-gpt2');
    return () => model.dispose();
  });
  const logits = async () => (await model.logits(ids)).data;

  test('scales and blends what adapters add', async () => {
    const [a, b] = [await fixtureAdapter('tiny-gpt2', 'end'), await fixtureAdapter('tiny-gpt2', 'all-linear')];
    await model.setAdapter([
      [a, 0.25],
      [a, 0.75],
    ]);
    expectClose(await logits(), expected.get('end')!, close, 'shares that make one');
    await model.setAdapter([
      [a, 1],
      [b, 1],
      [b, -1],
    ]);
    expectClose(await logits(), expected.get('end')!, close, 'one that is taken off again');
    await model.setAdapter(a, { scale: 0 });
    expectClose(await logits(), expected.get('base')!, close, 'scale 0');
    await model.setAdapter([[b, 0.5]], { scale: 3 });
    const more = await logits();
    await model.setAdapter(b, { scale: 1.5 });
    expectClose(await logits(), more, close, 'scale of a share');
    await model.setAdapter(null);
  });

  test('a text that has begun keeps its adapter; the next one has the new one, and no key of the old', async () => {
    const [a, b] = [await fixtureAdapter('tiny-gpt2', 'end'), await fixtureAdapter('tiny-gpt2', 'tied-words')];
    const complete = async () => (await model.complete(ids, { maxNewTokens: 12 })).ids;
    await model.setAdapter(b);
    const ofB = await complete();
    await model.setAdapter(a);
    const ofA = await complete();
    expect(ofA).not.toEqual(ofB);
    const begun = model.generate(ids, { maxNewTokens: 12 });
    const found: number[] = [];
    for await (const { id } of begun) {
      found.push(id);
      if (found.length === 3) await model.setAdapter(b);
    }
    expect(found).toEqual(ofA);
    expect(await complete()).toEqual(ofB);
    expectClose(await logits(), expected.get('tied-words')!, close, 'prefixes of another adapter');
    await model.setAdapter(null);
  });

  test('what an adapter brought is freed when it is taken off, and not before who began with it ends', async () => {
    const { bytes } = model.device;
    await model.setAdapter(await fixtureAdapter('tiny-gpt2', 'tied-head'));
    expect(model.device.bytes).toBeGreaterThan(bytes + 1000 * 96 * 4);
    const begun = model.generate(ids, { maxNewTokens: 4 });
    await begun.next();
    await model.setAdapter(null);
    expect(model.device.bytes).toBeGreaterThan(bytes);
    await begun.return(undefined as never);
    expect(model.device.bytes).toBe(bytes);
  });

  test('traces, edits, weights and profiles are of the model with its adapter', async () => {
    const adapter = await fixtureAdapter('tiny-gpt2', 'bias');
    const names = model.tensors();
    const before = await model.trace(ids, { capture: ['blocks.0.attn.hook_q', 'blocks.2.hook_resid_post'] });
    const bias = (await model.weight('h.1.attn.c_attn.bias')).data;
    await model.setAdapter(adapter);
    expect(model.tensors()).toEqual(names);
    const after = await model.trace(ids, { capture: ['blocks.0.attn.hook_q', 'blocks.2.hook_resid_post'] });
    expect(after.get('blocks.0.attn.hook_q')!.data).not.toEqual(before.get('blocks.0.attn.hook_q')!.data);
    const { data, shape } = after.get('blocks.2.hook_resid_post')!;
    const edited = await model.trace(ids, { edits: [{ name: 'blocks.2.hook_resid_post', set: data }] });
    expect(shape).toEqual([ids.length, 96]);
    expectClose(edited.logits.data.subarray(-1000), expected.get('bias')!, close, 'edited to what it is');
    expect((await model.weight('h.1.attn.c_attn.bias')).data).not.toEqual(bias);
    expect(model.weights().filter(({ name }) => name === 'h.1.attn.c_attn.bias')).toHaveLength(1);
    const { steps } = await model.profile(ids, { repeats: 1 });
    expect(steps.length).toBeGreaterThan(3);
    await model.setAdapter(null);
    expect((await model.weight('h.1.attn.c_attn.bias')).data).toEqual(bias);
  });

  test('what is refused changes nothing', async () => {
    await model.setAdapter(await fixtureAdapter('tiny-gpt2', 'end'));
    const { bytes } = model.device;
    const other = await fixtureAdapter('llama-gqa', 'end');
    await expect(model.setAdapter(other)).rejects.toMatchObject({ code: 'bad-checkpoint' });
    const head = await fixtureAdapter('tiny-gpt2', 'tied-head');
    await expect(
      model.setAdapter([
        [head, 0.5],
        [head, 0.5],
      ]),
    ).rejects.toMatchObject({ code: 'bad-option' });
    for (const wrong of ['x', 3, {}, [], [[head]], [[head, Number.NaN]], [head], undefined]) {
      await expect(model.setAdapter(wrong as never)).rejects.toMatchObject({ code: 'bad-option' });
    }
    await expect(model.setAdapter(head, { scale: Number.NaN })).rejects.toMatchObject({ code: 'bad-option' });
    await expect(model.setAdapter(head, { scle: 1 } as never)).rejects.toMatchObject({ code: 'bad-option' });
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(model.setAdapter(head, { signal })).rejects.toThrow('enough');
    expect(model.device.bytes).toBe(bytes);
    expectClose(await logits(), expected.get('end')!, close, 'the one before');
    await model.setAdapter(null);
  });

  test('a quantised base stays as it is', async () => {
    const quantised = await load(await fixtureFiles('tiny-gpt2'), { device, dtype: 'q8' });
    const words = (await quantised.weight('wte.weight', { rows: [7] })).data;
    const plain = (await quantised.logits(ids)).data;
    await quantised.setAdapter(await fixtureAdapter('tiny-gpt2', 'all-linear'));
    const adapted = (await quantised.logits(ids)).data;
    const change = (more: Float32Array, less: Float32Array) => more.map((value, i) => value - less[i]!);
    const exact = change(expected.get('all-linear')!, expected.get('base')!);
    const largest = Math.max(...exact.map(Math.abs));
    expectClose(change(adapted, plain), exact, { absolute: 0.1 * largest }, 'what the adapter changes');
    expect((await quantised.weight('wte.weight', { rows: [7] })).data).toEqual(words);
    await quantised.setAdapter(null);
    expectClose((await quantised.logits(ids)).data, plain, { absolute: 5e-3 }, 'without'); // few rows sum otherwise
    quantised.dispose();
  });
});

test('loaders take an adapter, or where one is', async () => {
  const expected = await expectedLogits('bert-seqcls');
  const ids = await firstIds('bert-seqcls');
  const base = await familyFiles('bert-seqcls', files);
  const folder = new URL('../fixtures/learning/bert-seqcls/adapter-end/', import.meta.url).href;
  const dropped = await adapterFiles('bert-seqcls', 'end');
  for (const adapter of [folder, dropped, await loadAdapter(dropped), (await loadAdapter(dropped)).files()]) {
    const encoder = await loadEncoder(base, { device: 'cpu', adapter });
    const [logits] = (await encoder.run([{ ids }])).logits!;
    expectClose(logits!.data, expected.get('end')!, close, 'loadEncoder');
    encoder.dispose();
  }
  const pipe = await pipeline('text-classification', base, { device: 'cpu', adapter: dropped });
  const [logits] = (await pipe.model.run([{ ids }])).logits!;
  expectClose(logits!.data, expected.get('end')!, close, 'pipeline');
  await pipe.dispose();
  const wrong = loadEncoder(base, { device: 'cpu', adapter: await adapterFiles('tiny-gpt2', 'end') });
  await expect(wrong).rejects.toMatchObject({ code: 'bad-checkpoint' });
  const missing = loadEncoder(base, { device: 'cpu', adapter: './no/such/folder' });
  await expect(missing).rejects.toMatchObject({ code: 'bad-checkpoint' });
  await expect(loadEncoder(base, { device: 'cpu', adapter: 3 as never })).rejects.toMatchObject({ code: 'bad-option' });
});

test('calls of an encoder that have begun keep their adapter', async () => {
  const { model } = await openLearner('bert-seqcls', { device: 'wasm' });
  const encoder = model as Awaited<ReturnType<typeof loadEncoder>>;
  const { bytes } = encoder.device;
  const ids = await firstIds('bert-seqcls');
  const long = Array.from({ length: 400 }, () => ({ ids }));
  await encoder.setAdapter(await fixtureAdapter('bert-seqcls', 'end'));
  const running = encoder.run(long);
  await encoder.setAdapter(await fixtureAdapter('bert-seqcls', 'words'));
  const after = encoder.run([{ ids }]);
  const expected = await expectedLogits('bert-seqcls');
  const all = (await running).logits!;
  for (const { data } of [all[0]!, all.at(-1)!]) expectClose(data, expected.get('end')!, close, 'begun before');
  expectClose((await after).logits![0]!.data, expected.get('words')!, close, 'begun after');
  await encoder.setAdapter(null);
  expect(encoder.device.bytes).toBe(bytes);
  encoder.dispose();
});
