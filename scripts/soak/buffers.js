// Counts the GPU buffers of this thread that were made and not destroyed; those of a device that is lost are gone with it.
const live = new Map();

if (globalThis.GPUDevice) {
  const { createBuffer } = GPUDevice.prototype;
  GPUDevice.prototype.createBuffer = function (descriptor) {
    const buffer = createBuffer.call(this, descriptor);
    live.set(buffer, descriptor.label ?? '');
    return buffer;
  };
  const { destroy } = GPUBuffer.prototype;
  GPUBuffer.prototype.destroy = function () {
    live.delete(this);
    return destroy.call(this);
  };
  const { requestDevice } = GPUAdapter.prototype;
  GPUAdapter.prototype.requestDevice = async function (descriptor) {
    const device = await requestDevice.call(this, descriptor);
    device.onuncapturederror = ({ error }) => Promise.reject(new Error(`An uncaptured error: ${error.message}`));
    return device;
  };
}

/** Labels of the live buffers. */
export const liveBuffers = () => [...live.values()];
