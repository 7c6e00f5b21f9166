import { expect, test } from 'vitest';
test('iso', () => { expect(globalThis.crossOriginIsolated).toBe(true); });
