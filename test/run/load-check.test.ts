import { expect, test } from 'vitest';
import { sharedDevice } from '../backends.ts';
import { type Alterations, altered, miscompiled, sharedInstead, withAltered } from '../gpu/altered.ts';
import { openFixture } from './models.ts';

/** The kernels for many rows take a software GPU seconds to compile. */
const oneRow = 1;

/** Nothing was kept of an adapter of this name. */
const unheardOf = () => ({ vendor: `acme ${Math.random()}` });

const zeros = miscompiled('linear-quads', (code) => code.replace(/quadBroadcast\(own, \d\)/g, 'vec4f()'));
const noTanh = miscompiled('linear-row', (code) => code.replace('tanh(clamp(', '(clamp('));

test('a variant that computes wrong is replaced by another, and the text is right', async () => {
  const real = await sharedDevice();
  expect(real.features.has('subgroups'), 'the tests need an adapter with subgroups').toBe(true);
  const device = altered(real, { ...zeros, info: real.adapterInfo });
  const model = await openFixture('tiny-gpt2', { device }, oneRow);
  expect(model.device).toMatchObject({ kind: 'webgpu', check: { passed: true, kept: false } });
  const { replaced, variants, comparisons, error } = model.device.check!;
  expect(replaced).toMatchObject([{ kernel: 'row', variant: 'quads', failed: { passed: false, rows: 'one' } }]);
  expect(variants.row).toBe('registers');
  expect(comparisons).toBeGreaterThan(8);
  expect(error.mean).toBeLessThan(1e-5);

  const reference = await openFixture('tiny-gpt2', { device: 'cpu' }, oneRow);
  const options = { maxNewTokens: 5, eosTokenId: null };
  expect((await model.complete([1, 2, 3], options)).ids).toEqual((await reference.complete([1, 2, 3], options)).ids);
  model.dispose();
  reference.dispose();
});

test('where no variant is right, auto goes on to WebAssembly and webgpu says so, before a weight is read', () => {
  const how: Alterations = { ...noTanh, info: unheardOf(), requestDevice: sharedInstead };
  const stages = new Set<string>();
  const onProgress = ({ stage }: { stage: string }) => stages.add(stage);
  return withAltered(how, async () => {
    const model = await openFixture('tiny-gpt2', { device: 'auto' }, oneRow);
    expect(model.device).toMatchObject({ kind: 'wasm', check: { passed: false } });
    expect(model.device.reason).toMatch(
      /acme [\d.]+ computes wrong results: layerNorm \+ linear 96 → 384 f32 \+ gelu_new, for one row/,
    );
    const opening = openFixture('tiny-gpt2', { device: 'webgpu', ownGpu: true, onProgress }, oneRow);
    await expect(opening).rejects.toMatchObject({ code: 'no-webgpu' });
    await expect(opening).rejects.toThrow(/gelu_new.*checkDevice/);
    expect([...stages]).not.toContain('weights');
    model.dispose();
  });
});

test('what was found is kept for the adapter, and holds for other shaders no longer', () => {
  let submits = 0;
  const info = unheardOf();
  const queue: Alterations['queue'] = () => ({
    submit(call) {
      submits++;
      return call();
    },
  });
  return withAltered({ info, queue, requestDevice: sharedInstead }, async () => {
    const first = await openFixture('tiny-gpt2', { device: 'webgpu', ownGpu: true }, oneRow);
    expect(first.device.check).toMatchObject({ passed: true, kept: false, adapter: info.vendor });
    first.dispose();
    const checked = submits;
    submits = 0;
    const second = await openFixture('tiny-gpt2', { device: 'webgpu', ownGpu: true }, oneRow);
    expect(second.device.check).toMatchObject({ passed: true, kept: true });
    expect(submits).toBeLessThan(checked);
    second.dispose();
    const other = await openFixture('tiny-gpt2', { device: 'webgpu', ownGpu: true, dtype: 'q8' }, oneRow);
    expect(other.device.check).toMatchObject({ passed: true, kept: false });
    other.dispose();
  });
});
