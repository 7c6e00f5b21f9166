import { VitrineError } from '../plan/error.ts';
import type { Buffers } from './buffers.ts';
import { MAP_READ, usage } from './usage.ts';

/** Copies results to mappable buffers, which are kept and used again; several reads may be under way at once. */
export class Readback {
  readonly #device: GPUDevice;
  readonly #buffers: Buffers;
  #idle: GPUBuffer[] = [];

  /** Makes `prepared.count` buffers of `prepared.bytes` at once; reads beyond those make their own. */
  constructor(device: GPUDevice, buffers: Buffers, prepared = { count: 0, bytes: 0 }) {
    this.#device = device;
    this.#buffers = buffers;
    for (let i = 0; i < prepared.count; i++) this.#idle.push(this.#create(prepared.bytes));
  }

  /** Ends `encoder` with copies of the given sources, submits it, and gives their contents once the GPU is done. */
  async read(
    encoder: GPUCommandEncoder,
    sources: { buffer: GPUBuffer; offset?: number; bytes: number }[],
  ): Promise<Float32Array[]> {
    const total = sources.reduce((sum, { bytes }) => sum + bytes, 0);
    const staging = total > 0 ? this.#take(total) : undefined;
    let offset = 0;
    for (const { buffer, offset: from = 0, bytes } of sources) {
      if (staging && bytes > 0) encoder.copyBufferToBuffer(buffer, from, staging, offset, bytes);
      offset += bytes;
    }
    this.#device.queue.submit([encoder.finish()]);
    if (!staging) return sources.map(() => new Float32Array(0));
    try {
      await staging.mapAsync(MAP_READ, 0, total);
    } catch (cause) {
      throw await this.#explain(cause);
    }
    const all = new Float32Array(staging.getMappedRange(0, total)).slice();
    staging.unmap();
    this.#idle.push(staging);
    let start = 0;
    return sources.map(({ bytes }) => all.subarray(start / 4, (start += bytes) / 4));
  }

  #take(bytes: number): GPUBuffer {
    const fitting = this.#idle.find((buffer) => buffer.size >= bytes);
    if (!fitting) return this.#create(bytes);
    this.#idle = this.#idle.filter((buffer) => buffer !== fitting);
    return fitting;
  }

  #create(bytes: number): GPUBuffer {
    return this.#buffers.create('readback', bytes, usage.staging);
  }

  /** A mapping fails when the program was disposed under it, or the device is gone. */
  async #explain(cause: unknown): Promise<VitrineError> {
    const lost = await Promise.race([this.#device.lost, new Promise<undefined>((done) => setTimeout(done, 20))]);
    if (lost && lost.reason !== 'destroyed') {
      return new VitrineError('device-lost', `The GPU was lost: ${lost.message}`, { cause });
    }
    return new VitrineError('disposed', 'The program was disposed while it ran.', { cause });
  }
}
