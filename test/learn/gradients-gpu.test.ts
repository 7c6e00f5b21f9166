import { backends, isFull } from '../backends.ts';
import { folders, testGradients } from './gradient-case.ts';

// A software GPU compiles each family's kernels anew.
const few = ['t5-v1.1'];
for (const { name } of backends) if (name === 'webgpu') testGradients(name, isFull ? folders : few);
