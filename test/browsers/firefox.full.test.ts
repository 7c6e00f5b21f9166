import { describe } from 'vitest';
import { findFirefox } from '../../scripts/browser.mjs';
import type { Choice } from './compare.ts';
import { openFirefox } from './firefox.ts';
import { libraryOnWebGpu } from './library.ts';

const found = findFirefox();

const choices: Choice[] = [
  { dtype: 'f32', vendor: 'nvidia' },
  { dtype: 'f16', kv: 'f16', vendor: 'amd' },
  { dtype: 'q8', vendor: 'intel' },
  { dtype: 'q4', vendor: 'apple' },
  { dtype: 'f32', vendor: 'swiftshader' },
  { dtype: 'f32' },
  { dtype: 'f16', kv: 'f16', vendor: 'nvidia', compileOnly: true },
  { dtype: 'bf16', kv: 'q8', vendor: 'swiftshader', compileOnly: true },
];
describe.skipIf(!found)('the library on WebGPU in Firefox', () => libraryOnWebGpu(() => openFirefox(found!), choices));
