import { backends } from '../backends.ts';
import { testSeeded } from './seeded-case.ts';

for (const { name } of backends) if (name === 'webgpu') testSeeded(name);
