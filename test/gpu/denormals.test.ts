import { afterAll, expect, test } from 'vitest';
import { createGpuBackend } from '../../src/gpu/backend.ts';
import type { Backend } from '../../src/plan/backend.ts';
import { backends, sharedDevice } from '../backends.ts';
import { expectClose } from '../close.ts';
import { MiniPlan, randomValues } from '../ops/mini-plan.ts';
import { altered } from './altered.ts';

/** A GPU that takes halves below 2^-14 for 0, and of whose exp nothing is to be had where it overflows: WGSL allows both. */
async function strict(): Promise<Backend> {
  const real = await sharedDevice();
  const device = altered(real, {
    info: real.adapterInfo,
    device: () => ({
      createShaderModule(_, [given]) {
        const { label = '', code } = given as GPUShaderModuleDescriptor;
        const own = code
          .replaceAll('unpack2x16float(', 'flushed2x16(')
          .replaceAll(/\bexp\(/g, 'overflowing(')
          .concat(`
fn flushed2x16(bits: u32) -> vec2f {
  let halves = unpack2x16float(bits);
  return select(halves, vec2f(), abs(halves) < vec2f(0x1p-14));
}
fn overflowing(x: f32) -> f32 {
  return select(exp(x), 12345, x > 88);
}`);
        return real.createShaderModule({ label, code: own });
      },
    }),
  });
  return createGpuBackend(device);
}

const opened: Promise<Backend>[] = [];
afterAll(async () => {
  for (const backend of opened) (await backend).dispose();
});

test.each(['q8', 'q4'] as const)('small weights in %s are not lost on a GPU without small halves', async (format) => {
  const [nIn, nOut] = [37, 41];
  const run = async (backend: Promise<Backend>) => {
    opened.push(backend);
    const plan = new MiniPlan(1);
    const x = plan.input('x', randomValues(nIn, 1, 3), nIn);
    const weight = plan.matrix('weight', nOut, nIn, randomValues(nOut * nIn, 2, 1e-4), format);
    plan.step({ op: 'linear', input: x, weight, outputs: [plan.tensor('y', 'rows', nOut)] });
    return (await plan.run(await backend, ['y'])).captured.get('y')!;
  };
  const [expected, found] = [await run(backends[0]!.open()), await run(strict())];
  expect(Math.max(...expected.map(Math.abs))).toBeGreaterThan(1e-4);
  expectClose(found, expected, { absolute: 1e-7 }, 'y');
});

test('silu of numbers far below 0 is 0', async () => {
  const run = async (backend: Promise<Backend>) => {
    opened.push(backend);
    const plan = new MiniPlan(1);
    const input = plan.input('x', Float32Array.of(-1000, -100, -89, -80, -1, 0, 3, 200), 8);
    plan.step({ op: 'activation', kind: 'silu', input, output: plan.tensor('y', 'rows', 8) });
    return (await plan.run(await backend, ['y'])).captured.get('y')!;
  };
  expectClose(await run(strict()), await run(backends[0]!.open()), { absolute: 1e-6 }, 'y');
});
