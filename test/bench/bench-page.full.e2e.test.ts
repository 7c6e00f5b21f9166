import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openSite, type Site } from '../site.ts';

let site: Site;
beforeAll(async () => {
  site = await openSite([]); // a measurement shares no GPU process
});
afterAll(() => site.close());

test('bench.html measures a made-up model, says that the GPU is software, and copies its report', async () => {
  const page = await site.newPage({ permissions: ['clipboard-read', 'clipboard-write'] });
  await page.goto(`${site.url}bench.html`);
  await page.locator('#shape').selectOption('a small one, for trying');
  for (const format of ['f32', 'f16', 'q4']) await page.getByLabel(format, { exact: true }).uncheck();
  await page.getByLabel('every variant').uncheck(); // software compiles each for a second
  await page.getByRole('button', { name: 'Measure' }).click();
  await page.getByText('Done.').waitFor();

  expect(await page.locator('#adapter').textContent()).toMatch(/SwiftShader.*No real GPU/i);
  await page.getByRole('button', { name: 'Copy' }).click();
  await page.getByText('Copied.').waitFor();
  const report = JSON.parse(await page.evaluate(() => navigator.clipboard.readText()));
  expect(report.machine.software).toBe(true);
  expect(report.rows.map(({ name }: { name: string }) => name)).toEqual(['webgpu q8']);
  const [row] = report.rows;
  expect(row.prefill['1000']).toHaveLength(3);
  expect(row.decode['512'].every((ms: number) => ms > 0)).toBe(true);
  // 5 dispatches a layer and 4 a token.
  expect(row.counts.dispatches).toBe(14);
  expect(row.counts.creations).toBe(0);
  expect(row.copyBytesPerSecond).toBeGreaterThan(0);
  // Each word, position and matrix is bound once a token, and no more.
  expect(row.counts.weightBytes).toBeGreaterThan(0.9 * row.bytes);
  const downloading = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Download' }).click();
  const download = await downloading;
  expect(download.suggestedFilename()).toMatch(/^vitrine-.*swiftshader.*\.json$/);
  expect(JSON.parse(await readFile(await download.path(), 'utf8'))).toEqual(report);
  await page.close();
});
