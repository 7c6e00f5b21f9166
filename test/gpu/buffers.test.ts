import { expect, test } from 'vitest';
import { checked } from '../../src/gpu/buffers.ts';
import { requestDevice } from '../../src/gpu/device.ts';
import { testGpu } from '../backends.ts';

test('of calls under way together, the one that fails is told', async () => {
  await testGpu();
  const { device } = await requestDevice(0);
  const turn = () => new Promise((resolve) => setTimeout(resolve));
  let isRightDone = false;
  const wrong = checked(device, 'a wrong one', async () => {
    await turn();
    device.createBuffer({ size: 16, usage: 0x1 | 0x80 }); // mapped for reading, and storage
    for (let i = 0; i < 100 && !isRightDone; i++) await turn();
  });
  const right = checked(device, 'a right one', async () => {
    await turn();
    await turn();
    return 'made';
  }).finally(() => {
    isRightDone = true;
  });
  const [failed, made] = await Promise.allSettled([wrong, right]);
  expect(failed).toMatchObject({ status: 'rejected', reason: { message: expect.stringContaining('a wrong one') } });
  expect(made).toEqual({ status: 'fulfilled', value: 'made' });
  await expect(checked(device, 'the next', () => 'made')).resolves.toBe('made');
  device.destroy();
});
