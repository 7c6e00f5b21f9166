import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { requestDevice } from '../../src/gpu/device.ts';
import { Pipelines } from '../../src/gpu/shader.ts';
import { COMPILING, PATIENCE } from '../../src/plan/patience.ts';

/** A GPU process that hangs: whatever is asked of it is never answered. */
const silent = () => new Promise<never>(() => {});

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

async function opens(gpu: object): Promise<unknown> {
  vi.stubGlobal('navigator', { gpu });
  const outcome = requestDevice(0).catch((error: unknown) => error);
  await vi.advanceTimersByTimeAsync(PATIENCE);
  return outcome;
}

test('an adapter that does not come is none', async () => {
  expect(await opens({ requestAdapter: silent })).toMatchObject({
    code: 'no-webgpu',
    message: expect.stringContaining('has not answered for 10 s'),
  });
});

test('an adapter that is none is asked for again', async () => {
  const info = { vendor: 'a vendor' };
  const device = {};
  const adapter = { limits: {}, features: new Set(), info, requestDevice: async () => device };
  const requestAdapter = vi.fn(async () => adapter as unknown).mockImplementationOnce(async () => null);
  expect(await opens({ requestAdapter })).toMatchObject({ device, adapter: 'a vendor' });
  expect(requestAdapter).toHaveBeenCalledTimes(2);
});

test('a device that does not come is none, and one that comes late is given back', async () => {
  const device = { destroy: vi.fn() };
  let answer = (_: typeof device) => {};
  const adapter = {
    limits: {},
    features: new Set(),
    info: {},
    requestDevice: () => new Promise((resolve) => (answer = resolve)),
  };
  const error = await opens({ requestAdapter: async () => adapter });
  expect(error).toMatchObject({ code: 'no-webgpu', message: expect.stringContaining('a device and has not answered') });
  answer(device);
  await vi.advanceTimersByTimeAsync(0);
  expect(device.destroy).toHaveBeenCalledOnce();
});

test('a refusal is told as it is', async () => {
  vi.stubGlobal('navigator', { gpu: { requestAdapter: () => Promise.reject(new TypeError('no power')) } });
  await expect(requestDevice(0)).rejects.toThrow('no power');
});

test('a driver that compiles nothing for a minute is given up', async () => {
  const device = {
    pushErrorScope() {},
    popErrorScope: async () => null,
    createShaderModule: () => ({ getCompilationInfo: async () => ({ messages: [] }) }),
    createComputePipelineAsync: silent,
  };
  const pipelines = new Pipelines(device as unknown as GPUDevice);
  const failed = pipelines.get(['norm.wgsl'], {}).catch((error: unknown) => error);
  await vi.advanceTimersByTimeAsync(COMPILING);
  expect(await failed).toMatchObject({
    code: 'no-webgpu',
    message: expect.stringContaining('compiled nothing for 60 s'),
  });
});
