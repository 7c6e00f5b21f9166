import { describe } from 'vitest';
import { backends } from '../backends.ts';
import { decoders, seeded, testDecoders, testGeneration, testSeeded } from './decoder-case.ts';

describe.each(backends)('decoders on $name', (backend) => {
  // A software GPU compiles each family's kernels anew: the others are in test:full.
  testDecoders(backend, backend.name === 'webgpu' ? ['llama-gqa'] : decoders);
});

describe('decoders as they are loaded', () => {
  testGeneration('cpu', decoders);
  testGeneration('wasm', decoders);
});

describe('seeded decoders', () => {
  testSeeded('cpu', seeded);
  testSeeded('wasm', seeded);
});
