import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

test("the worker's entry shares no module with others: WebKit would run it again when they import from it", () => {
  const entry = readFileSync(new URL('../../src/embed/worker.ts', import.meta.url), 'utf8');
  expect(entry).toMatch(/\bimport\('\.\/calls\.ts'\)/);
  expect(entry).not.toMatch(/^import (?!type )|^export /m);
});
