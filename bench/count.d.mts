import type { Open, Row } from './adapters/adapter.d.ts';
import type { CountingDevice, DeviceCounts } from './counting-device.ts';
import type { Words } from './measure.mjs';

export interface CountOptions {
  tokens: number;
  words: Words;
  countingDevice: (device: GPUDevice) => CountingDevice;
  /** Milliseconds that JavaScript has run so far. */
  busyMs?: () => Promise<number>;
}

export function count(open: Open, row: Row, options: CountOptions): Promise<DeviceCounts & { scriptMs: number }>;
