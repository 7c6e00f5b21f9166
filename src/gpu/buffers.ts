import { VitrineError } from '../plan/error.ts';
import { STORAGE, usage } from './usage.ts';

/** The buffers of one owner, so that all can be freed together. */
export class Buffers {
  readonly #device: GPUDevice;
  readonly #live = new Set<GPUBuffer>();

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  get bytes(): number {
    return [...this.#live].reduce((sum, buffer) => sum + buffer.size, 0);
  }

  /** A storage buffer filled with zeros, as WebGPU makes them. */
  create(label: string, bytes: number, bits: number = usage.storage): GPUBuffer {
    const { maxBufferSize, maxStorageBufferBindingSize } = this.#device.limits;
    const isBound = (bits & STORAGE) !== 0;
    const limit = isBound ? Math.min(maxBufferSize, maxStorageBufferBindingSize) : maxBufferSize;
    if (bytes > limit) {
      throw new VitrineError(
        'out-of-memory',
        `${label} needs ${bytes} bytes; the device takes ${limit} in one buffer.`,
        {
          hint: 'A shorter contextLength, fewer sequences or a smaller dtype needs less.',
        },
      );
    }
    const buffer = this.#device.createBuffer({ label, size: Math.max(16, Math.ceil(bytes / 16) * 16), usage: bits });
    this.#live.add(buffer);
    return buffer;
  }

  /** Like create, with contents. */
  from(label: string, data: Float32Array | Uint32Array): GPUBuffer {
    const buffer = this.create(label, data.byteLength);
    this.#device.queue.writeBuffer(buffer, 0, data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
    return buffer;
  }

  destroy(...buffers: (GPUBuffer | undefined)[]): void {
    for (const buffer of buffers) {
      if (buffer && this.#live.delete(buffer)) buffer.destroy();
    }
  }

  destroyAll(): void {
    this.destroy(...this.#live);
  }
}

/** The last one of a device's `checked` calls. */
const checking = new WeakMap<GPUDevice, Promise<unknown>>();

/**
 * Runs `make` and turns what the device says of it into a VitrineError: out of memory, or a validation error. One at a
 * time, as a device's error scopes are a stack: an error would be told to whoever came last.
 */
export function checked<T>(device: GPUDevice, what: string, make: () => T | Promise<T>): Promise<T> {
  const made = (checking.get(device) ?? Promise.resolve()).then(() => checkedAlone(device, what, make));
  checking.set(
    device,
    made.catch(() => {}),
  );
  return made;
}

async function checkedAlone<T>(device: GPUDevice, what: string, make: () => T | Promise<T>): Promise<T> {
  device.pushErrorScope('out-of-memory');
  device.pushErrorScope('validation');
  let failure: { error: unknown } | undefined;
  let made: T | undefined;
  try {
    made = await make();
  } catch (error) {
    failure = { error };
  }
  const [validation, memory] = await Promise.all([device.popErrorScope(), device.popErrorScope()]);
  if (failure) throw failure.error;
  if (memory) {
    throw new VitrineError('out-of-memory', `The GPU has no room for ${what}: ${memory.message}`, {
      hint: "A smaller model, dtype 'q8' or 'q4', or a shorter contextLength needs less.",
    });
  }
  if (validation) throw new VitrineError('no-webgpu', `The GPU refused ${what}: ${validation.message}`);
  return made as T;
}
