import { describe } from 'vitest';
import { findFirefox } from '../../scripts/browser.mjs';
import type { Choice } from './compare.ts';
import { openFirefox } from './firefox.ts';
import { libraryOnWebGpu } from './library.ts';
import { smoke } from './smoke.ts';

const found = findFirefox();

describe.skipIf(!found)('Firefox', () => smoke(() => openFirefox(found!), ['wasm', 'webgpu']));

/** The kernels of real GPUs are compiled here, and run by the slow tests. */
const choices: Choice[] = [
  { dtype: 'q4', vendor: 'swiftshader' }, // with words in q8, and positions in f32
  { dtype: 'f16', kv: 'f16', vendor: 'nvidia', compileOnly: true },
  { dtype: 'bf16', kv: 'q8', vendor: 'swiftshader', compileOnly: true },
];
describe.skipIf(!found)('the library on WebGPU in Firefox', () => libraryOnWebGpu(() => openFirefox(found!), choices));
