import { readFileSync } from 'node:fs';
import { load, loadEncoder, loadEncoderDecoder, loadVision } from '../../src/index.ts';
import type { Near } from '../../src/learn/inside.ts';
import type { Label, LossOption } from '../../src/learn/loss.ts';
import type { Backend } from '../../src/plan/backend.ts';
import type { LoadOptions } from '../../src/run/loading.ts';
import { sharedDevice } from '../backends.ts';

export type Tensors = Map<string, { data: Float32Array; shape: number[] }>;

interface Item {
  ids?: number[];
  labels?: number[];
  label?: Label;
  source?: number[];
  target?: number[];
  pixels?: number[];
  shape?: number[];
}

export interface Learning {
  model: string;
  architecture: string;
  batch: Item[];
  loss: number;
  first: { loss: number; tensors: string[] };
}

const fixtures = new URL('../fixtures/', import.meta.url);

/** What a folder of test/fixtures/learning says. */
export const learningOf = (name: string): Learning =>
  JSON.parse(readFileSync(new URL(`learning/${name}/learning.json`, fixtures), 'utf8')) as Learning;

/** The tensors of a safetensors file of test/fixtures, all of them F32. */
export function tensorsIn(path: string): Tensors {
  const bytes = readFileSync(new URL(path, fixtures));
  const length = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, 8 + length).toString()) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >;
  const data = bytes.buffer.slice(bytes.byteOffset + 8 + length, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
  delete header.__metadata__;
  return new Map(
    Object.entries(header).map(
      ([
        name,
        {
          shape,
          data_offsets: [start, end],
        },
      ]) => [name, { shape, data: new Float32Array(data, start, (end - start) / 4) }],
    ),
  );
}

/** The model of a folder of test/fixtures/learning. */
export async function openLearner(
  name: string,
  device: Backend['kind'] = 'cpu',
  options: LoadOptions = {},
): Promise<Near> {
  const { architecture } = learningOf(name);
  const loader = /Image/.test(architecture)
    ? loadVision
    : /ConditionalGeneration|Marian/.test(architecture)
      ? loadEncoderDecoder
      : /CausalLM|LMHead/.test(architecture)
        ? load
        : loadEncoder;
  const folder = new URL(name === 'tiny-gpt2' ? name : `families/${name}`, fixtures);
  const on = device === 'webgpu' ? await sharedDevice() : device;
  return loader(folder, { ...options, device: on });
}

/** A folder's batch as `gradients` takes it. */
export function batchOf(
  { batch }: Learning,
  shape?: number[],
): { inputs: unknown[]; lossOf(count: number): LossOption } {
  const inputs = batch.map(({ ids, source, target, pixels, shape: own = shape }) => {
    if (source) return { source, target };
    if (pixels) return { pixels: Float32Array.from(pixels), shape: own! };
    return batch.some(({ label, labels }) => label !== undefined || labels) ? { ids } : ids;
  });
  const labels = batch.flatMap(({ label, labels }): Label[] =>
    label !== undefined ? [label] : labels ? [labels] : [],
  );
  return { inputs, lossOf: (count) => (labels.length > 0 ? { labels: labels.slice(0, count) } : 'next-token') };
}
