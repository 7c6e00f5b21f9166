import { describe } from 'vitest';
import { backends, openedOnce, type TestBackend, webgpuWorkgroups } from '../backends.ts';
import { linearShapes, testLinear } from './linear-case.ts';

const [reference, gpu] = backends.map(openedOnce) as [TestBackend, TestBackend];

describe.each([gpu, openedOnce(webgpuWorkgroups)])('linear on $name equals the CPU reference', (backend) => {
  for (const format of ['f32', 'f16', 'q8', 'q4'] as const) testLinear(backend, reference, format, linearShapes);
});
