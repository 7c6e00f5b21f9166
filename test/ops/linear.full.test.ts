import { describe } from 'vitest';
import { backends, openedOnce, type TestBackend, webgpuVariants, webgpuWorkgroups } from '../backends.ts';
import { linearShapes, testLinear, testVocabulary } from './linear-case.ts';

const [reference, gpu] = backends.map(openedOnce) as [TestBackend, TestBackend];
const [registers, workgroups] = [webgpuVariants({ row: 'registers', tile: 'registers' }), webgpuWorkgroups].map(
  openedOnce,
) as [TestBackend, TestBackend];

describe.each([gpu, registers, workgroups])('linear on $name equals the CPU reference', (backend) => {
  for (const format of ['f32', 'bf16', 'f16', 'q8', 'q4'] as const)
    testLinear(backend, reference, format, linearShapes);
});

testVocabulary([workgroups], reference);
