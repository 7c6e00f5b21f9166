import { expect, test, vi } from 'vitest';
import { packRows } from '../../src/plan/formats.ts';
import { packerFor } from '../../src/plan/packer.ts';
import { provide } from '../../src/plan/part.ts';

test('what packs is asked for until it has come, and never again: a browser queues each `import()` behind a download’s tasks', async () => {
  const openPacker = vi.fn(async () => packRows).mockRejectedValueOnce(new Error('no network'));
  provide('What packs weights', { openPacker });
  const rows = new Float32Array(64);
  await expect(packerFor('q8', rows)).rejects.toThrow('no network');
  expect(await packerFor('q8', rows)).toBe(packRows);
  expect(await packerFor('q4', rows)).toBe(packRows);
  expect(openPacker).toHaveBeenCalledTimes(2);
});
