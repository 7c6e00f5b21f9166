import { expect, test } from 'vitest';
import { checked } from '../../src/gpu/buffers.ts';
import { sharedDevice } from '../backends.ts';

test('of calls under way together, the one that fails is told', async () => {
  const device = await sharedDevice(); // whose uncaptured errors fail the run
  const mappedStorage = { size: 16, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.STORAGE };
  const calls = [
    checked(device, 'a right one', () => 'made'),
    checked(device, 'a wrong one', () => device.createBuffer(mappedStorage)),
    checked(device, 'the next', () => 'made'),
  ];
  const [before, wrong, after] = await Promise.allSettled(calls);
  expect(wrong).toMatchObject({ status: 'rejected', reason: { message: expect.stringContaining('a wrong one') } });
  for (const made of [before, after]) expect(made).toEqual({ status: 'fulfilled', value: 'made' });
});
