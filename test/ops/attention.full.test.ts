import { describe } from 'vitest';
import { backends, openedOnce, type TestBackend, webgpuHalves, webgpuWorkgroups } from '../backends.ts';
import { cachedShapes, testAttention, wholeShapes } from './attention-case.ts';

const [reference, ...others] = [...backends.slice(0, 2), webgpuWorkgroups, ...webgpuHalves].map(openedOnce) as [
  TestBackend,
  ...TestBackend[],
];

describe.each(others)('attention on $name equals the CPU reference', (backend) => {
  testAttention(backend, reference, { whole: wholeShapes, cached: cachedShapes });
});
