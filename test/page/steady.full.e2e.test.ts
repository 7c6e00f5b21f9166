import type { Page, Worker } from 'playwright';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openSite, type Site } from '../site.ts';

let site: Site;
beforeAll(async () => {
  site = await openSite();
});
afterAll(() => site.close());

/** Counts a worker's living GPU buffers: those made and not destroyed, alone or with their device. */
function countBuffers(): void {
  const living = new Map<GPUDevice, Set<GPUBuffer>>();
  const { createBuffer, destroy } = GPUDevice.prototype;
  GPUDevice.prototype.createBuffer = function (descriptor) {
    const buffer = createBuffer.call(this, descriptor);
    const own = living.get(this) ?? new Set();
    living.set(this, own.add(buffer));
    const free = buffer.destroy.bind(buffer);
    buffer.destroy = () => {
      own.delete(buffer);
      free();
    };
    return buffer;
  };
  GPUDevice.prototype.destroy = function () {
    living.delete(this);
    destroy.call(this);
  };
  const count = () => [...living.values()].reduce((sum, own) => sum + own.size, 0);
  Object.assign(globalThis, { livingBuffers: count });
}

async function livingBuffers(workers: Worker[]): Promise<number> {
  const counts = workers.map((worker) =>
    worker.evaluate(() => (globalThis as { livingBuffers?: () => number }).livingBuffers?.() ?? 0),
  );
  return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
}

async function heapBytes(page: Page): Promise<number> {
  const session = await page.context().newCDPSession(page);
  await session.send('HeapProfiler.collectGarbage');
  const { usedSize } = await session.send('Runtime.getHeapUsage');
  await session.detach();
  return usedSize;
}

async function writeAbout(page: Page, subject: number): Promise<void> {
  await page.locator('textarea').fill(`Once there were ${subject} cats`);
  await page.keyboard.press('Control+Enter');
  await page.locator('.flow .model').first().waitFor();
  await page.getByRole('button', { name: /^Complete/ }).waitFor();
}

/** Loads the model again on each of the devices. */
async function switchModels(page: Page, devices: string[]): Promise<void> {
  for (const device of devices) {
    await page.getByRole('button', { name: 'Change model' }).click();
    await page.locator('#device').selectOption(device);
    await page.keyboard.press('Escape');
    await page
      .getByText(device === 'cpu' ? /JavaScript/ : /^WebGPU/)
      .first()
      .waitFor();
    await page.getByRole('progressbar').waitFor({ state: 'detached' });
  }
}

test('200 prompts and ten switches of the model leave heap and GPU buffers as they were', async () => {
  const page = await site.newPage();
  page.on('worker', (worker) => void worker.evaluate(countBuffers));
  await page.goto(`${site.url}#device=webgpu&prompt=&temperature=0&max-new-tokens=2`);
  await page.getByText(/in memory/).waitFor();
  const measured: { heap: number; buffers: number }[] = [];
  for (let subject = 1; subject <= 200; subject++) {
    if (subject % 40 === 0) await switchModels(page, ['cpu', 'webgpu']);
    await writeAbout(page, subject);
    if (subject % 40 === 0) {
      measured.push({ heap: await heapBytes(page), buffers: await livingBuffers(page.workers()) });
    }
  }
  await page.context().close();
  console.log(measured.map(({ heap, buffers }) => `${(heap / 1e6).toFixed(2)} MB, ${buffers} buffers`).join('; '));
  expect(measured[0]!.buffers).toBeGreaterThan(0);
  // The undo history holds 100 moments: full at the third figure. A browser's own caches move by less than 1 MB.
  expect(measured.at(-1)!.buffers).toBeLessThanOrEqual(measured[2]!.buffers);
  expect(measured.at(-1)!.heap - measured[2]!.heap).toBeLessThan(1e6);
});
