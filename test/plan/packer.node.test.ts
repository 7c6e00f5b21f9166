import { expect, test, vi } from 'vitest';
import { packRows } from '../../src/plan/formats.ts';
import { provide } from '../../src/plan/part.ts';

/** A module of its own, which has not been asked yet: files of tests share a process. */
const own = '../../src/plan/packer.ts?own';

test('what packs is asked for until it has come, and never again: a browser queues each `import()` behind a download’s tasks', async () => {
  const { packerFor } = (await import(own)) as typeof import('../../src/plan/packer.ts');
  const openPacker = vi.fn(async () => packRows).mockRejectedValueOnce(new Error('no network'));
  provide('What packs weights', { openPacker });
  try {
    const rows = new Float32Array(64);
    await expect(packerFor('q8', rows)).rejects.toThrow('no network');
    expect(await packerFor('q8', rows)).toBe(packRows);
    expect(await packerFor('q4', rows)).toBe(packRows);
    expect(openPacker).toHaveBeenCalledTimes(2);
  } finally {
    provide('What packs weights', await import('../../src/plan/pack.ts'));
  }
});
