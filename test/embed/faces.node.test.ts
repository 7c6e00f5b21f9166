import { expect, test } from 'vitest';

test('on a server the element and the hook are imported, and do nothing', async () => {
  const { VitrineWriter } = await import('../../src/embed/elements.ts');
  const { useModel } = await import('../../src/embed/react.ts');
  expect([VitrineWriter, useModel].map((value) => typeof value)).toEqual(['function', 'function']);
  expect('customElements' in globalThis).toBe(false);
});
