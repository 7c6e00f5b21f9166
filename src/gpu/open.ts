import type { Backend } from '../plan/backend.ts';
import { VitrineError } from '../plan/error.ts';
import { createGpuBackend } from './backend.ts';
import { describe, type Gpu, isSoftware } from './device.ts';
import { tuneStore } from './tune-store.ts';

export { requestDevice } from './device.ts';

/** What the backend of a model is told. */
export interface GpuChoices {
  kv: 'f32' | 'f16';
  tune: boolean | undefined;
  /** Of all weights. */
  bytes: number;
}

/** The backend on a device that was asked for, which goes with it. */
export function gpuBackend({ device, adapter }: Pick<Gpu, 'device' | 'adapter'>, choices: GpuChoices): Backend {
  return createGpuBackend(device, { adapter, owned: true, kv: choices.kv, tune: storeFor(device, choices) });
}

/**
 * The backend on a device of the caller's, which stays open.
 * @throws VitrineError `device-lost`
 */
export async function ownBackend(device: GPUDevice, choices: GpuChoices): Promise<Backend> {
  const soon = new Promise<undefined>((resolve) => setTimeout(resolve, 0));
  const lost = await Promise.race([device.lost, soon]);
  if (lost) throw new VitrineError('device-lost', `The GPUDevice is lost: ${lost.message || lost.reason}.`);
  const adapter = describe(device.adapterInfo);
  return createGpuBackend(device, { adapter, owned: false, kv: choices.kv, tune: storeFor(device, choices) });
}

/** Measuring pays where kernels differ by more than it costs: on real GPUs, with weights enough to read. */
function storeFor(device: GPUDevice, { tune, bytes }: GpuChoices) {
  return (tune ?? (!isSoftware(device.adapterInfo) && bytes >= 2 ** 24)) ? tuneStore : undefined;
}
