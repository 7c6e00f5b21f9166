import { describe } from 'vitest';
import { backends } from '../backends.ts';
import { decoders, testDecoders } from './decoder-case.ts';

describe.each(backends.slice(1, 2))('decoders on $name', (backend) => {
  testDecoders(backend, decoders);
});
