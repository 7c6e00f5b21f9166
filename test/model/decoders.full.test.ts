import { describe } from 'vitest';
import { backends } from '../backends.ts';
import { decoders, seeded, testDecoders, testSeeded } from './decoder-case.ts';

describe.each(backends.slice(1, 2))('decoders on $name', (backend) => {
  testDecoders(backend, decoders);
});

describe('seeded decoders', () => {
  testSeeded('webgpu', seeded);
});
