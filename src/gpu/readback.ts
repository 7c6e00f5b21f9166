import { VitrineError } from '../plan/error.ts';
import type { Buffers } from './buffers.ts';
import { nudged } from './nudge.ts';
import { MAP_READ, usage } from './usage.ts';

/** Of a mappable buffer, unless what is read in one piece needs more. */
const STAGING_BYTES = 2 ** 25;

/** A stretch of a buffer to be read. */
export interface Source {
  buffer: GPUBuffer;
  offset?: number;
  bytes: number;
}

/** A mappable buffer and the first `bytes` of it that a read fills. */
interface Staging {
  bytes: number;
  buffer?: GPUBuffer;
}

/** Where each source of a read goes. */
export interface Reserved {
  places: { source: Source; staging: Staging; at: number }[];
  stagings: Staging[];
}

/** Reads of so many bytes one behind the other in mappable buffers: how large these are, and where each read is. */
function inStagings(reads: readonly number[]) {
  const sizes: number[] = [];
  const places = reads.map((bytes) => {
    if (sizes.length === 0 || sizes.at(-1)! + bytes > STAGING_BYTES) sizes.push(0);
    const [staging, at] = [sizes.length - 1, sizes.at(-1)!];
    sizes[staging] = at + bytes;
    return { staging, at };
  });
  return { sizes, places };
}

/** The mappable buffers that runs one after the other will make, each with its reads of so many bytes. */
export function stagingsOf(runs: readonly (readonly number[])[]): number[] {
  const made: number[] = [];
  for (const reads of runs) {
    const free = [...made];
    for (const size of inStagings(reads).sizes) {
      const fitting = free.findIndex((bytes) => bytes >= size);
      if (fitting < 0) made.push(size);
      else free.splice(fitting, 1);
    }
  }
  return made;
}

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

  /**
   * Mappable memory for the sources, before anything is submitted.
   * @throws VitrineError `out-of-memory`
   */
  async reserve(sources: readonly Source[]): Promise<Reserved> {
    const read = sources.filter(({ bytes }) => bytes > 0);
    const { sizes, places: at } = inStagings(read.map(({ bytes }) => bytes));
    const stagings = sizes.map((bytes): Staging => ({ bytes }));
    const places = read.map((source, i) => ({ source, staging: stagings[at[i]!.staging]!, at: at[i]!.at }));
    try {
      for (const staging of stagings) staging.buffer = this.#takeIdle(staging.bytes) ?? (await this.#allocate(staging));
    } catch (error) {
      for (const { buffer } of stagings) if (buffer) this.#idle.push(buffer);
      throw error;
    }
    return { places, stagings };
  }

  /**
   * Ends `encoder` with copies of the reserved sources, submits it, and gives their contents once the GPU is done.
   * @param patientMs see `nudged`
   */
  async read(encoder: GPUCommandEncoder, { places, stagings }: Reserved, patientMs?: number) {
    for (const { source, staging, at } of places) {
      encoder.copyBufferToBuffer(source.buffer, source.offset ?? 0, staging.buffer!, at, source.bytes);
    }
    this.#device.queue.submit([encoder.finish()]);
    const values = new Map<Staging, Float32Array>();
    try {
      const mapped = stagings.map(async (staging) => {
        const buffer = staging.buffer!;
        await buffer.mapAsync(MAP_READ, 0, staging.bytes);
        values.set(staging, new Float32Array(buffer.getMappedRange(0, staging.bytes)).slice());
        buffer.unmap();
        this.#idle.push(buffer);
      });
      if (mapped.length > 0) await nudged(this.#device, Promise.all(mapped), patientMs);
    } catch (cause) {
      throw await this.#explain(cause);
    }
    return new Map(
      places.map(({ source, staging, at }) => [source, values.get(staging)!.subarray(at / 4, (at + source.bytes) / 4)]),
    );
  }

  #takeIdle(bytes: number): GPUBuffer | undefined {
    const fitting = this.#idle.find((buffer) => buffer.size >= bytes);
    this.#idle = this.#idle.filter((buffer) => buffer !== fitting);
    return fitting;
  }

  #allocate({ bytes }: Staging): Promise<GPUBuffer> {
    return this.#buffers.allocate(`${bytes} bytes to read results through`, () => this.#create(bytes));
  }

  #create(bytes: number): GPUBuffer {
    return this.#buffers.create('readback', bytes, usage.staging);
  }

  /** A mapping fails when the program was disposed under it, or the device is gone. */
  async #explain(cause: unknown): Promise<VitrineError> {
    if (this.#buffers.ended) return new VitrineError('disposed', 'The program was disposed while it ran.', { cause });
    // The loss may be told after the failures that it causes; only its words are waited for.
    const late = new Promise<undefined>((resolve) => setTimeout(resolve, 1000));
    const lost = await Promise.race([this.#device.lost, late]);
    return new VitrineError('device-lost', `The GPU was lost: ${lost?.message || cause}`, { cause });
  }
}
