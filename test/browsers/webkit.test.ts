import { describe } from 'vitest';
import { findWebKit } from '../../scripts/browser.mjs';
import { smoke } from './smoke.ts';
import { openWebKit } from './webkit.ts';

const found = findWebKit();

describe.skipIf(!found)('WebKit', () => smoke(() => openWebKit(found!), ['wasm']));
