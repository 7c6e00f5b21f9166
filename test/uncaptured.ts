const watched = new WeakSet<object>();

/**
 * Every device that adapters of this kind give from now on fails the run by an error that no scope caught: a command
 * that WebGPU refused without anybody having asked.
 */
export function failOnUncaptured(adapterType: GPUAdapter): void {
  if (watched.has(adapterType)) return;
  watched.add(adapterType);
  const { requestDevice } = adapterType;
  adapterType.requestDevice = async function (this: GPUAdapter, descriptor) {
    const device = await requestDevice.call(this, descriptor);
    device.onuncapturederror = ({ error }) => {
      void Promise.reject(new Error(`An uncaptured error of WebGPU: ${error.message}`));
    };
    return device;
  };
}
