import type { WeightFormat, WeightRows } from '../plan/backend.ts';
import { badCheckpoint } from '../plan/error.ts';
import { packedBytes, rowLength, scaleBytesOf, strideOf, valueBytesOf } from '../plan/formats.ts';
import { packerFor } from '../plan/packer.ts';
import type { LowRank, Norm, WeightSpec } from '../plan/plan.ts';
import { type Buffers, checked, write } from './buffers.ts';

/** Rows [first, first + rows) of a matrix. A matrix larger than the device's binding limit has several. */
export interface WeightPart {
  first: number;
  rows: number;
  values: GPUBuffer;
  scales: GPUBuffer | undefined;
}

/** What kernels ask of a model's weights. */
export interface Weights {
  matrix(name: string): GpuWeight;
  vector(name: string): GPUBuffer;
  /** In one buffer, as a shader may bind eight, no more; absent where there is none of it. */
  vectors(of: Vectors): GPUBuffer | undefined;
}

/** What a layer's columns [first, first + count) have: biases, what a norm has, and of an adapter how its input lies and its rows. */
export interface Vectors {
  /** The layer's own, with which they go. */
  weight: string;
  first: number;
  count: number;
  bias: string | undefined;
  norm: Norm | undefined;
  lowRank: LowRank | undefined;
}

/** Where an adapter's numbers begin among the vectors: behind the biases and what the norm has, in floats. */
export const lowRankAt = (count: number, normStride: number): number => strideOf(count) + 2 * normStride;

/** The numbers that a kernel reads of an adapter: quads of its rank, the columns before its second and third part, and its input's stride. */
export function lowRankNumbers({ rank, parts }: LowRank, first: number): Float32Array<ArrayBuffer> {
  const [a = 0, b = Number.MAX_SAFE_INTEGER] = parts;
  const before = (column: number) => Math.max(0, Math.min(column - first, 2 ** 24));
  return Float32Array.of(rank / 4, before(a), before(a + b), strideOf(parts.length * rank));
}

export interface GpuWeight {
  spec: WeightSpec;
  format: WeightFormat;
  stride: number;
  parts: WeightPart[];
  bytes: number;
}

/** Bytes sent before waiting for the device: bounds what the browser buffers on the way. */
const IN_FLIGHT = 2 ** 25;

/** Allocates a weight, in parts if it must be, and streams its rows to the device. */
export async function uploadWeight(
  device: GPUDevice,
  buffers: Buffers,
  spec: WeightSpec,
  format: WeightFormat,
  pieces: AsyncIterable<WeightRows>,
): Promise<GpuWeight> {
  const stride = strideOf(spec.columns);
  const valueBytes = valueBytesOf(format, stride);
  const scaleBytes = scaleBytesOf(format, stride);
  const parts: WeightPart[] = [];
  try {
    const bytes = packedBytes(format, spec.rows, spec.columns);
    await checked(device, `${spec.name}, ${bytes} bytes`, () => {
      for (const { first, rows } of partsOf(device, spec, format)) {
        parts.push({
          first,
          rows,
          values: buffers.create(`${spec.name} values`, rows * valueBytes),
          scales: scaleBytes ? buffers.create(`${spec.name} scales`, rows * scaleBytes) : undefined,
        });
      }
    });
    await send({ device, buffers }, spec, format, parts, pieces, { valueBytes, scaleBytes });
  } catch (error) {
    for (const part of parts) buffers.destroy(part.values, part.scales);
    throw error;
  }
  return { spec, format, stride, parts, bytes: packedBytes(format, spec.rows, spec.columns) };
}

/** The runs of rows that a weight is kept in: as few as the device's limits allow. */
export function partsOf({ limits }: GPUDevice, spec: WeightSpec, format: WeightFormat) {
  const limit = Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize);
  const fit = Math.floor(limit / valueBytesOf(format, strideOf(spec.columns)));
  // Where one part follows another it has a multiple of four: kernels make results by fours, halves of the cache come in twos.
  const most = fit >= spec.rows ? spec.rows : fit - (fit % 4);
  return Array.from({ length: Math.ceil(spec.rows / most) }, (_, i) => ({
    first: i * most,
    rows: Math.min(most, spec.rows - i * most),
  }));
}

async function send(
  { device, buffers }: { device: GPUDevice; buffers: Buffers },
  spec: WeightSpec,
  format: WeightFormat,
  parts: WeightPart[],
  pieces: AsyncIterable<WeightRows>,
  rowBytes: { valueBytes: number; scaleBytes: number },
): Promise<void> {
  let row = 0;
  let inFlight = 0;
  for await (const piece of pieces) {
    const pack = await packerFor(format, piece);
    buffers.alive();
    const length = rowLength(format, piece, spec.columns);
    const count = piece.length / length;
    for (const part of parts) {
      const from = Math.max(row, part.first);
      const to = Math.min(row + count, part.first + part.rows);
      if (from >= to) continue;
      const { values, scales } = pack(format, piece.subarray((from - row) * length, (to - row) * length), spec.columns);
      write(device, part.values, (from - part.first) * rowBytes.valueBytes, values);
      if (scales) write(device, part.scales!, (from - part.first) * rowBytes.scaleBytes, scales);
      inFlight += values.byteLength;
    }
    row += count;
    if (inFlight > IN_FLIGHT) {
      await device.queue.onSubmittedWorkDone();
      inFlight = 0;
    }
  }
  if (row !== spec.rows) {
    throw badCheckpoint(`${spec.name} ended after ${row} of ${spec.rows} rows.`);
  }
}
