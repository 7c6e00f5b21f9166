import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { findFirefox } from '../../scripts/browser.mjs';
import { serve } from '../../scripts/serve.mjs';
import type { DeviceReport } from '../../src/index.ts';
import { openFirefox } from './firefox.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const found = findFirefox();

/** The page climbs the whole ladder, as check.html does. */
const script = `
import { checkDevice } from './dist/vitrine.js';
globalThis.checked = checkDevice({ model: new URL('model/', location.href).href, onProgress: (at) => (globalThis.at = at) });
`;

describe.skipIf(!found)('checkDevice in Firefox', () => {
  test('accuses no honest device, and a model has the logits of the CPU', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'check-'));
    await symlink(join(root, 'dist'), join(folder, 'dist'));
    await symlink(join(root, 'test/fixtures/tiny-gpt2'), join(folder, 'model'));
    await writeFile(join(folder, 'index.html'), `<!doctype html><script type="module">${script}</script>`);
    const site = await serve(folder);
    const tab = await openFirefox(found!);
    try {
      await tab.goto(site.url);
      // A call of the driver waits for some minutes at most, and the ladder is longer on a software GPU.
      // As text: an object that is in it several times comes out of the browser once.
      let told: string | undefined;
      while (!told) {
        told = await tab.run(async () => {
          const { checked } = globalThis as unknown as { checked: Promise<DeviceReport> };
          const report = checked.then((report) => JSON.stringify(report));
          return Promise.race([report, new Promise<undefined>((resolve) => setTimeout(resolve, 5000))]);
        });
      }
      const report = JSON.parse(told) as DeviceReport;
      const { rungs, agreement, adapter, ms } = report;
      console.log(
        `${adapter || 'an adapter without a name'}: ${rungs.length} comparisons in ${Math.round(ms / 1000)} s`,
      );
      console.log(JSON.stringify(agreement));
      expect(rungs.length).toBeGreaterThan(50);
      expect(rungs.filter(({ passed }) => !passed)).toEqual([]);
      // Far from the tolerances, so that drivers with another rounding are not accused either.
      for (const { op, variant, error, tolerance } of rungs) {
        expect(error.mean, `${op}, ${variant}`).toBeLessThan(tolerance.mean / 2);
      }
      expect(agreement).toMatchObject({ passed: true, same: agreement!.positions });
    } finally {
      await tab.close();
      await site.close();
      await rm(folder, { recursive: true });
    }
  });
});
