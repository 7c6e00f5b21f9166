import { testGpu } from '../backends.ts';

/** Runs `use` with the devices that were asked for meanwhile, and their buffers that were not destroyed. */
export async function watchingDevices<T>(
  use: (devices: GPUDevice[], buffers: Set<GPUBuffer>) => Promise<T>,
): Promise<T> {
  const gpu = await testGpu();
  const adapterType = Object.getPrototypeOf(await gpu.requestAdapter()) as GPUAdapter;
  const { requestDevice } = adapterType;
  const devices: GPUDevice[] = [];
  const buffers = new Set<GPUBuffer>();
  adapterType.requestDevice = async function (this: GPUAdapter, descriptor) {
    const device = await requestDevice.call(this, descriptor);
    const createBuffer = device.createBuffer.bind(device);
    device.createBuffer = (of) => {
      const buffer = createBuffer(of);
      const destroy = buffer.destroy.bind(buffer);
      buffers.add(buffer);
      buffer.destroy = () => {
        buffers.delete(buffer);
        return destroy();
      };
      return buffer;
    };
    devices.push(device);
    return device;
  };
  try {
    return await use(devices, buffers);
  } finally {
    adapterType.requestDevice = requestDevice;
  }
}
