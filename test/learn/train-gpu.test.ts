import { backends, isFull } from '../backends.ts';
import { headCases, testHeads } from './heads-case.ts';
import { allRuns, testDivergence, testRuns } from './train-case.ts';

// A software GPU compiles each model's kernels anew.
for (const { name } of backends) {
  if (name !== 'webgpu') continue;
  testRuns(name, isFull ? allRuns : [['llama-gqa', 'lora']]);
  testDivergence(name);
  testHeads(name, isFull ? headCases : headCases.filter(({ model }) => model.endsWith('bert-qa')));
}
