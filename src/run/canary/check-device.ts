import { part } from '../../plan/part.ts';
import { checkOptions, isFunction, isSignal } from '../check.ts';
import type { CheckDeviceOptions, DeviceReport } from './report.ts';

/**
 * Checks a GPU: every kernel, in every variant and weight format, on fresh values against the CPU, and then a model's logits if
 * one is given. Takes seconds on a real GPU.
 * @throws VitrineError `no-webgpu` where there is no device to check; the signal's reason. What a device gets wrong is in the report.
 */
export async function checkDevice(options: CheckDeviceOptions = {}): Promise<DeviceReport> {
  checkOptions('checkDevice', options, {
    device: { expects: 'a GPUDevice', accepts: (value) => typeof value === 'object' && value !== null },
    model: { expects: 'a source, as load takes', accepts: (value) => value !== null },
    onProgress: isFunction,
    signal: isSignal,
  });
  return (await part('The ladder of checks', () => import('./ladder.ts'))).climb(options);
}
