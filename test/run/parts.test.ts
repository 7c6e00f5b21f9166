import { expect, test, vi } from 'vitest';
import { families } from '../../src/model/families.ts';
import * as parts from '../../src/plan/part.ts';

test('the table says of each family what the family says of itself', async () => {
  for (const { open, ...told } of families) expect(await open()).toMatchObject(told);
  const types = families.flatMap(({ modelTypes }) => modelTypes);
  expect(new Set(types).size).toBe(types.length);
});

test('vitrine/static brings every part along', async () => {
  const provided = new Set<string>();
  vi.resetModules();
  vi.doMock('../../src/plan/part.ts', () => ({ ...parts, provide: (what: string) => provided.add(what) }));
  await import('../../src/static.ts');
  const { readFile, readdir } = await import('node:fs/promises');
  const root = new URL('../../src/', import.meta.url);
  const files = (await readdir(root, { recursive: true })).filter((name) => /^(?!embed|page).*\.ts$/.test(name));
  const asked = await Promise.all(
    files.map(async (name) => {
      const text = await readFile(new URL(name.replaceAll('\\', '/'), root), 'utf8');
      return [...text.matchAll(/\bpart\(\s*(['"])(.*?)\1,/g)].map(([, , what]) => what!);
    }),
  );
  const all = [
    ...asked.flat(),
    ...families.filter(({ title }) => title !== 'GPT-2').map(({ title }) => `The family ${title}`),
  ];
  expect(all.length).toBeGreaterThan(20);
  expect(all.filter((what) => !provided.has(what))).toEqual([]);
});
