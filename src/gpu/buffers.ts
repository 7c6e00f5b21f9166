import { VitrineError } from '../plan/error.ts';
import { STORAGE, usage } from './usage.ts';

/** The buffers of one owner, so that all can be freed together. */
export class Buffers {
  readonly #device: GPUDevice;
  readonly #live = new Set<GPUBuffer>();
  #ended = false;

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /** Whether all were freed: their owner is gone. */
  get ended(): boolean {
    return this.#ended;
  }

  get bytes(): number {
    return [...this.#live].reduce((sum, buffer) => sum + buffer.size, 0);
  }

  /** A storage buffer filled with zeros, as WebGPU makes them. */
  create(label: string, bytes: number, bits: number = usage.storage): GPUBuffer {
    this.alive();
    const { maxBufferSize, maxStorageBufferBindingSize } = this.#device.limits;
    const isBound = (bits & STORAGE) !== 0;
    const limit = isBound ? Math.min(maxBufferSize, maxStorageBufferBindingSize) : maxBufferSize;
    if (bytes > limit) {
      const hint = 'A shorter contextLength, fewer sequences or a smaller dtype needs less.';
      const found = `${label} needs ${bytes} bytes; the device takes ${limit} in one buffer.`;
      throw new VitrineError('out-of-memory', found, { hint });
    }
    const buffer = this.#device.createBuffer({ label, size: Math.max(16, Math.ceil(bytes / 16) * 16), usage: bits });
    this.#live.add(buffer);
    return buffer;
  }

  /**
   * What `make` makes with these buffers, once the device has said that it has room for it; else none of them is left.
   * @throws VitrineError `out-of-memory`, naming `what`
   */
  async allocate<T>(what: string | (() => string), make: () => T): Promise<T> {
    this.alive();
    let created: GPUBuffer[] = [];
    try {
      const made = await checked(this.#device, what, () => {
        const before = this.#live.size;
        try {
          return make();
        } finally {
          created = [...this.#live].slice(before);
        }
      });
      this.alive();
      return made;
    } catch (error) {
      this.destroy(...created);
      throw error;
    }
  }

  /** Throws `disposed` once all were freed: a command on a destroyed buffer is a validation error. */
  alive(): void {
    if (this.#ended) throw new VitrineError('disposed', 'The buffers were freed while they were in use.');
  }

  /** Like create, with contents. */
  from(label: string, data: Float32Array | Uint32Array): GPUBuffer {
    const buffer = this.create(label, data.byteLength);
    write(this.#device, buffer, 0, data);
    return buffer;
  }

  destroy(...buffers: (GPUBuffer | undefined)[]): void {
    for (const buffer of buffers) if (buffer && this.#live.delete(buffer)) buffer.destroy();
  }

  /** Frees all; no more are made. */
  destroyAll(): void {
    this.#ended = true;
    this.destroy(...this.#live);
  }
}

/** Numbers to a place in a buffer. */
export function write(device: GPUDevice, buffer: GPUBuffer, offset: number, data: ArrayBufferView): void {
  device.queue.writeBuffer(buffer, offset, data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
}

/**
 * Runs `make` and turns what the device says of it into a VitrineError: out of memory, or a validation error. `make` is
 * synchronous: a device's error scopes are a stack, and one left open would be told of what others do meanwhile.
 */
export async function checked<T>(device: GPUDevice, what: string | (() => string), make: () => T): Promise<T> {
  device.pushErrorScope('out-of-memory');
  device.pushErrorScope('validation');
  let made: T;
  let scopes: Promise<(GPUError | null)[]> | undefined;
  try {
    made = make();
  } finally {
    scopes = Promise.all([device.popErrorScope(), device.popErrorScope()]);
    scopes.catch(() => {});
  }
  const [validation, memory] = await scopes.catch((cause: unknown) => {
    throw new VitrineError('device-lost', `The GPU was lost: ${cause}`, { cause });
  });
  const wanted = () => (typeof what === 'string' ? what : what());
  if (memory) {
    const hint = "A smaller model, dtype 'q8' or 'q4', or a shorter contextLength needs less.";
    throw new VitrineError('out-of-memory', `The GPU has no room for ${wanted()}: ${memory.message}`, { hint });
  }
  if (validation) throw new VitrineError('no-webgpu', `The GPU refused ${wanted()}: ${validation.message}`);
  return made;
}
