import { describe } from 'vitest';
import { findFirefox } from '../../scripts/browser.mjs';
import { openFirefox } from './firefox.ts';
import { smoke } from './smoke.ts';

const found = findFirefox();

describe.skipIf(!found)('Firefox', () => smoke(() => openFirefox(found!), ['wasm', 'webgpu']));
