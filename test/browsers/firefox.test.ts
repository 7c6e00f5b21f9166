import { describe } from 'vitest';
import { findFirefox } from '../../scripts/browser.mjs';
import type { Choice } from './compare.ts';
import { openFirefox } from './firefox.ts';
import { libraryOnWebGpu } from './library.ts';
import { smoke } from './smoke.ts';

const found = findFirefox();

describe.skipIf(!found)('Firefox', () => smoke(() => openFirefox(found!), ['wasm', 'webgpu']));

/** With words in q8, and positions in f32. The slow tests have the kernels of real GPUs, and of the other formats. */
const choices: Choice[] = [{ dtype: 'q4', vendor: 'swiftshader' }];
describe.skipIf(!found)('the library on WebGPU in Firefox', () => libraryOnWebGpu(() => openFirefox(found!), choices));
