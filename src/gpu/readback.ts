import { VitrineError } from '../plan/error.ts';
import type { Buffers } from './buffers.ts';
import { MAP_READ, usage } from './usage.ts';

/** Of a mappable buffer, unless what is read in one piece needs more. */
const STAGING_BYTES = 2 ** 25;

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
    const groups: { bytes: number }[] = [];
    const places = sources.map(({ bytes }) => {
      let group = groups.at(-1);
      if (!group || group.bytes + bytes > STAGING_BYTES) groups.push((group = { bytes: 0 }));
      const at = group.bytes;
      group.bytes += bytes;
      return { group, at, bytes };
    });
    const stagings = new Map(groups.filter(({ bytes }) => bytes > 0).map((group) => [group, this.#take(group.bytes)]));
    for (const [i, { buffer, offset = 0, bytes }] of sources.entries()) {
      const { group, at } = places[i]!;
      if (bytes > 0) encoder.copyBufferToBuffer(buffer, offset, stagings.get(group)!, at, bytes);
    }
    this.#device.queue.submit([encoder.finish()]);
    const values = new Map<object, Float32Array>();
    await Promise.all(
      [...stagings].map(async ([group, staging]) => {
        await staging.mapAsync(MAP_READ, 0, group.bytes).catch(async (cause: unknown) => {
          throw await this.#explain(cause);
        });
        values.set(group, new Float32Array(staging.getMappedRange(0, group.bytes)).slice());
        staging.unmap();
        this.#idle.push(staging);
      }),
    );
    return places.map(
      ({ group, at, bytes }) => values.get(group)?.subarray(at / 4, (at + bytes) / 4) ?? new Float32Array(0),
    );
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
