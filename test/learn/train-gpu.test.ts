import { backends, isFull } from '../backends.ts';
import { allRuns, testRuns } from './train-case.ts';

// A software GPU compiles each model's kernels anew.
for (const { name } of backends) if (name === 'webgpu') testRuns(name, isFull ? allRuns : [['llama-gqa', 'lora']]);
