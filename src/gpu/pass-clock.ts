import type { Buffers } from './buffers.ts';
import type { Readback, Source } from './readback.ts';
import { usage } from './usage.ts';

/** Times passes: by the GPU's own timestamps where it has them, and by the clock on the wall. */
export class PassClock {
  readonly #device: GPUDevice;
  readonly #buffers: Buffers;
  readonly #readback: Readback;
  readonly #stamps: { querySet: GPUQuerySet; source: Source } | undefined;

  constructor(device: GPUDevice, buffers: Buffers, readback: Readback) {
    this.#device = device;
    this.#buffers = buffers;
    this.#readback = readback;
    if (!device.features.has('timestamp-query')) return;
    const source = { buffer: buffers.create('timestamps', 16, usage.timestamps), bytes: 16 };
    this.#stamps = { querySet: device.createQuerySet({ type: 'timestamp', count: 2 }), source };
  }

  get byGpu(): boolean {
    return this.#stamps !== undefined;
  }

  /** Milliseconds of a pass. Browsers round timestamps, some to 0.1 ms; drivers may report none, which is 0. */
  async time(work: (pass: GPUComputePassEncoder) => void): Promise<{ gpu: number | undefined; wall: number }> {
    const { querySet, source } = this.#stamps ?? {};
    const reserved = await this.#readback.reserve(source ? [source] : []);
    this.#buffers.alive();
    const encoder = this.#device.createCommandEncoder();
    const writes = querySet && { querySet, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 };
    const pass = encoder.beginComputePass(writes ? { timestampWrites: writes } : {});
    work(pass);
    pass.end();
    if (querySet) encoder.resolveQuerySet(querySet, 0, 2, source!.buffer, 0);
    const before = performance.now();
    const read = await this.#readback.read(encoder, reserved);
    if (!source) await this.#device.queue.onSubmittedWorkDone();
    const wall = performance.now() - before;
    if (!source) return { gpu: undefined, wall };
    const [begin, end] = new BigUint64Array(read.get(source)!.slice().buffer) as unknown as [bigint, bigint];
    return { gpu: Math.max(0, Number(end - begin) / 1e6), wall };
  }

  destroy(): void {
    this.#stamps?.querySet.destroy();
    this.#buffers.destroy(this.#stamps?.source.buffer);
  }
}
