import { backends, isFull } from '../backends.ts';
import { testMemory } from './memory-case.ts';

// A software GPU compiles each model's kernels anew.
for (const { name } of backends) {
  if (name === 'webgpu') testMemory(name, isFull ? undefined : ['a decoder whose blocks are made again']);
}
