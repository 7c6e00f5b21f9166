import { backends, isFull } from '../backends.ts';
import { testHeads } from './heads-case.ts';
import { allRuns, testDivergence, testRuns } from './train-case.ts';

// A software GPU compiles each model's kernels anew. What heads and answers add to them is held against the CPU in test/ops.
for (const { name } of backends) {
  if (name !== 'webgpu') continue;
  testRuns(name, isFull ? allRuns : [['llama-gqa', 'lora']]);
  testDivergence(name);
  if (isFull) testHeads(name);
}
