import { describe, expect, test } from 'vitest';
import { backends, testGpu } from './backends.ts';

test('there is a WebGPU adapter to test with', async () => {
  const adapter = await (await testGpu()).requestAdapter();
  expect(adapter, 'no WebGPU adapter: is the SwiftShader driver beside the browser?').not.toBeNull();
});

describe.each(backends)('$name', ({ open }) => {
  test('opens and frees', async () => {
    const backend = await open();
    expect(backend.bytes).toBe(0);
    expect(backend.adapter).not.toBe('');
    backend.dispose();
    backend.dispose();
  });
});
