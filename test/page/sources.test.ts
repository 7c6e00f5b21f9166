import { expect, test } from 'vitest';
import { nameOf, titleOf } from '../../src/page/sources.ts';

test.each([
  ['https://example.org/hub/some/model/resolve/main/model.Q4_1.gguf', 'model.Q4_1.gguf'],
  ['https://example.org/hub/some/model/resolve/main/', 'model'],
  ['https://example.org/models/small/', 'small'],
  ['https://example.org/', 'example.org'],
])('the card of %s is called %s, and its address is not lost', (url, title) => {
  expect(titleOf({ kind: 'url', url })).toBe(title);
  expect(url).toContain(nameOf({ kind: 'url', url }));
});

test('a model of the hub keeps its whole name', () => {
  expect(titleOf({ kind: 'hub', id: 'some/model' })).toBe('some/model');
});
