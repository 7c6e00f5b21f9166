import { AxeBuilder } from '@axe-core/playwright';
import { expect, test } from 'vitest';
import { openSite } from '../site.ts';

test('check.html climbs the ladder kernel by kernel, and stops when told to', async () => {
  const site = await openSite();
  try {
    const page = await site.newPage();
    await page.goto(`${site.url}check.html`);
    await expect.poll(() => page.getByRole('status').innerText()).toBe(''); // what it will say is read out, as it is there before
    await page.getByRole('button', { name: 'Check this GPU' }).click();
    const first = page.getByRole('row', { name: /^embedding 228 → 1111 f32.* many 0 / });
    await first.waitFor();
    await page.getByRole('button', { name: 'Stop' }).click();
    await page.getByRole('button', { name: 'Check again' }).waitFor();
    await expect.poll(() => page.locator('.verdict').textContent()).toMatch(/Stopped after \d+ comparisons/);
    expect(await page.locator('.verdict[data-passed="false"]').count()).toBe(0); // who stops it hears of no fault
    await expect.poll(() => page.locator('tr[data-passed="false"]').count()).toBe(0);
    const { violations } = await new AxeBuilder({ page }).setLegacyMode().analyze();
    expect(violations.map(({ id }) => id)).toEqual([]);
  } finally {
    await site.close();
  }
});

test('a check whose script does not come says why it ended, and what to do', async () => {
  const site = await openSite();
  try {
    const page = await site.newPage();
    await page.goto(`${site.url}check.html`);
    await page.route('**/worker-*.js', (route) => route.abort());
    await page.getByRole('button', { name: 'Check this GPU' }).click();
    await page.locator('.verdict[data-passed="false"]', { hasText: 'reload the page' }).waitFor();
  } finally {
    await site.close();
  }
});
