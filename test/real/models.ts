import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import models from '../../scripts/models.json' with { type: 'json' };
import { readFixture, readFixtureJson } from '../fixtures.ts';

/** Published models, as scripts/models.json lists them. */
export const published = models as unknown as { id: string; files: Record<string, string> }[];

export const minilm = 'sentence-transformers/all-MiniLM-L6-v2';
export const smollm2 = 'HuggingFaceTB/SmolLM2-135M-Instruct';

/** All models, laid out as a hub is: served by `scripts/serve.mjs` it is an `endpoint`. */
export const hub = fileURLToPath(new URL('../../models', import.meta.url));

/** The folder of a model, with a slash at the end. */
export const folderOf = (id: string): string => `${hub}/${id}/resolve/main/`;

/** `npm run models` has fetched it. */
export const isThere = (id: string): boolean => {
  const { files } = published.find((model) => model.id === id)!;
  return Object.keys(files).every((file) => existsSync(folderOf(id) + file));
};

/** Expected values for all-MiniLM-L6-v2 (test/fixtures/README.md). */
export interface MiniLm {
  texts: string[];
  ids: number[][];
  /** Texts whose hidden states are known. */
  hidden: number[];
  max_seq_length: number;
  accept: { embedding: number; hidden: number };
}

export const expectedOfMiniLm = (): Promise<MiniLm> => readFixtureJson<MiniLm>('real/minilm/expected.json');

/** Expected tensors: `embeddings` [44, 384], `hidden.N` [ids of text N, 384]. */
export async function tensorsOfMiniLm(): Promise<(name: string) => { shape: number[]; data: Float32Array }> {
  const file = await readFixture('real/minilm/expected.safetensors');
  const length = Number(new DataView(file.buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + length)));
  return (name) => {
    const { shape, data_offsets: offsets } = header[name] as { shape: number[]; data_offsets: [number, number] };
    return { shape, data: new Float32Array(file.buffer.slice(8 + length + offsets[0], 8 + length + offsets[1])) };
  };
}
