import { afterAll, expect, test } from 'vitest';
import { createGpuBackend, type GpuBackendOptions } from '../../src/gpu/backend.ts';
import { usage } from '../../src/gpu/usage.ts';
import { deviceWith, isFull } from '../backends.ts';
import { attentionPlan } from '../ops/attention-case.ts';
import { runLinear } from '../ops/linear-case.ts';
import { MiniPlan, randomValues } from '../ops/mini-plan.ts';
import { longCase, opened } from '../ops/random-plan.ts';
import { watchedDevice } from './beyond.ts';

/**
 * Browsers check the bounds of what a kernel asks for. Dawn without these checks, as the tests have it, takes the process down where
 * no memory lies there: so a kernel may not even ask for what it then drops.
 */
const watched = watchedDevice();
afterAll(async () => (await watched).device.destroy());

async function backendOn(options: GpuBackendOptions = {}, limits?: Partial<GPUSupportedLimits>) {
  const { device } = await watched;
  return createGpuBackend(limits ? deviceWith(device, { limits: limits as GPUSupportedLimits }) : device, options);
}

async function expectNothingBeyond(): Promise<void> {
  expect(await (await watched).beyond()).toEqual([]);
}

test('what a kernel asks for beyond an array is counted', async () => {
  const { device, beyond } = await watchedDevice();
  const code = `@group(0) @binding(0) var<storage, read_write> output: array<u32>;
@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3u) {
  output[id.x + 5] = 1;
}`;
  const compute = { module: device.createShaderModule({ code }) };
  const pipeline = await device.createComputePipelineAsync({ label: 'planted', layout: 'auto', compute });
  const buffer = device.createBuffer({ size: 32, usage: usage.storage }); // 8 numbers
  const entries = [{ binding: 0, resource: { buffer } }];
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
  pass.dispatchWorkgroups(1);
  pass.end();
  device.queue.submit([encoder.finish()]);
  expect(await beyond()).toEqual(['output in planted: 1']);
  device.destroy();
});

const layer = { nIn: 37, nOut: 41, format: 'f32' } as const;

test.each(isFull ? (['registers', 'quads', 'lanes'] as const) : (['registers', 'lanes'] as const))(
  'a layer of 41 outputs, one row, %s',
  async (row) => {
    await runLinear({ name: row, open: () => backendOn({ variants: { row } }) }, { rows: 1, ...layer }, ['sum']);
    await expectNothingBeyond();
  },
);

test.each(isFull ? (['registers', 'quads', 'shared'] as const) : (['registers', 'shared'] as const))(
  'a layer of 41 outputs, eleven rows, %s',
  async (tile) => {
    await runLinear({ name: tile, open: () => backendOn({ variants: { tile } }) }, { rows: 11, ...layer }, ['sum']);
    await expectNothingBeyond();
  },
);

test('heads that are turned, the first and the last', async () => {
  const plan = new MiniPlan(3);
  const input = plan.input('x', randomValues(3 * 64, 1), 4, 16);
  const table = plan.matrix('angles', 3, 16, randomValues(3 * 16, 2), 'f32');
  plan.step({ op: 'rotate', input, table, output: plan.tensor('turned', 'rows', 4, 16) });
  await plan.run(await backendOn(), ['turned']);
  await expectNothingBeyond();
});

test.each(isFull ? ([1, 5] as const) : ([5] as const))('heads of 6, %i rows', async (rows) => {
  await attentionPlan(rows, 1, 6, 1).run(await backendOn(), ['z']);
  await expectNothingBeyond();
});

test.runIf(isFull)('a loss in chunks, and gradients of tables in parts', async () => {
  const one = longCase(300, 1100);
  const limits = { maxStorageBufferBindingSize: 64 * 1152 * 4, maxBufferSize: 2 ** 28 };
  const found = await opened(await backendOn({}, limits), one, ['embedded']);
  await found.run();
  found.dispose();
  await expectNothingBeyond();
});
