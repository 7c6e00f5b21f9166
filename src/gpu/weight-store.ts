import type { WeightFormat, WeightRows } from '../plan/backend.ts';
import { badCheckpoint, VitrineError } from '../plan/error.ts';
import { packRows, strideOf } from '../plan/formats.ts';
import type { WeightSpec } from '../plan/plan.ts';
import { Buffers, write } from './buffers.ts';
import { type GpuWeight, lowRankAt, lowRankNumbers, uploadWeight, type Vectors, type Weights } from './weights.ts';

/** The weights of a model on one device. */
export class WeightStore implements Weights {
  readonly #device: GPUDevice;
  readonly #buffers: Buffers;
  readonly #weights = new Map<string, GpuWeight>();
  /** What layers have besides their weights, and the weights that it was made of. */
  readonly #vectors = new Map<string, { buffer: GPUBuffer; of: string[]; fill(encoder: GPUCommandEncoder): void }>();

  constructor(device: GPUDevice) {
    this.#device = device;
    this.#buffers = new Buffers(device);
  }

  get bytes(): number {
    return [...this.#weights.values()].reduce((sum, weight) => sum + weight.bytes, 0);
  }

  async add(spec: WeightSpec, format: WeightFormat, pieces: AsyncIterable<WeightRows>): Promise<void> {
    this.#weights.set(spec.name, await uploadWeight(this.#device, this.#buffers, spec, format, pieces));
  }

  matrix(name: string): GpuWeight {
    const weight = this.#weights.get(name);
    if (!weight) throw badCheckpoint(`The weight ${name} was never added.`);
    return weight;
  }

  vector(name: string): GPUBuffer {
    return this.matrix(name).parts[0]!.values;
  }

  /** Writes over a weight kept as f32, and over what was made of it. */
  set(name: string, values: Float32Array): void {
    const { spec, parts } = this.matrix(name);
    const { columns } = spec;
    for (const part of parts) {
      const own = values.subarray(part.first * columns, (part.first + part.rows) * columns);
      write(this.#device, part.values, 0, packRows('f32', own, columns).values);
    }
    const made = [...this.#vectors.values()].filter(({ of }) => of.includes(name));
    const encoder = made.length > 0 && this.#device.createCommandEncoder();
    if (!encoder) return;
    for (const { fill } of made) fill(encoder);
    this.#device.queue.submit([encoder.finish()]);
  }

  /** Frees weights, and what was made of them. */
  remove(names: readonly string[]): void {
    for (const name of names) {
      for (const { values, scales } of this.#weights.get(name)?.parts ?? []) this.#buffers.destroy(values, scales);
      this.#weights.delete(name);
    }
    for (const [key, { buffer, of }] of this.#vectors) {
      if (!of.some((name) => names.includes(name))) continue;
      this.#buffers.destroy(buffer);
      this.#vectors.delete(key);
    }
  }

  vectors({ weight, bias, first, count, norm, lowRank }: Vectors): GPUBuffer | undefined {
    if (bias === undefined && !norm && !lowRank) return undefined;
    const of = [weight, bias, norm?.weight, norm?.bias, lowRank?.weight].filter((name) => name !== undefined);
    const key = JSON.stringify([weight, bias, first, count, norm?.weight, norm?.bias, lowRank]);
    const known = this.#vectors.get(key);
    if (known) return known.buffer;
    const stride = norm ? this.matrix(norm.weight).stride : 0;
    const low = lowRankAt(count, stride);
    const floats = low + (lowRank ? 4 + count * lowRank.rank : 0);
    const buffer = this.#buffers.create('vectors', floats * 4);
    const fill = (encoder: GPUCommandEncoder) => {
      const copy = (name: string | undefined, from: number, to: number, length: number) => {
        if (name !== undefined) encoder.copyBufferToBuffer(this.vector(name), from * 4, buffer, to * 4, length * 4);
      };
      copy(bias, first, 0, count);
      copy(norm?.weight, 0, strideOf(count), stride);
      copy(norm?.bias, 0, strideOf(count) + stride, stride);
      if (lowRank) copy(lowRank.weight, first * lowRank.rank, low + 4, count * lowRank.rank);
    };
    if (lowRank) this.#device.queue.writeBuffer(buffer, low * 4, lowRankNumbers(lowRank, first));
    const encoder = this.#device.createCommandEncoder();
    fill(encoder);
    this.#device.queue.submit([encoder.finish()]);
    this.#vectors.set(key, { buffer, of, fill });
    return buffer;
  }

  /** `buffers.allocate` for what `make` makes there and, with `vectors`, here: none of it is left where there is no room for it. */
  async allocate<T>(buffers: Buffers, what: string | (() => string), make: () => T): Promise<T> {
    let fresh: [string, { buffer: GPUBuffer }][] = [];
    try {
      return await buffers.allocate(what, () => {
        const before = this.#vectors.size;
        try {
          return make();
        } finally {
          fresh = [...this.#vectors].slice(before);
        }
      });
    } catch (error) {
      // Where only `buffers` went meanwhile, others may use these by now: they stay with the weights.
      if (error instanceof VitrineError && error.code === 'disposed') throw error;
      for (const [key, { buffer }] of fresh) {
        this.#vectors.delete(key);
        this.#buffers.destroy(buffer);
      }
      throw error;
    }
  }

  /** Throws `disposed` once the weights are gone. */
  alive(): void {
    this.#buffers.alive();
  }

  destroy(): void {
    this.#buffers.destroyAll();
    this.#weights.clear();
    this.#vectors.clear();
  }
}
