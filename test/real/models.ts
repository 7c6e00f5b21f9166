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

type Tensors = (name: string) => { shape: number[]; data: Float32Array };

/** Expected tensors: `embeddings` [44, 384], `hidden.N` [ids of text N, 384]. */
export const tensorsOfMiniLm = (): Promise<Tensors> => tensorsOf('real/minilm/expected.safetensors');

/** Greedy ids with the distance between the two best logits of each. */
interface Greedy {
  greedy: number[];
  margins: number[];
}

/** Expected values for SmolLM2-135M-Instruct as Q4_1, its weights dequantised (test/fixtures/README.md). */
export interface SmolLm2 {
  accept: { logits: number; nll: number };
  tokenizer: { text: string; ids: number[]; ids_with_special: number[] }[];
  /** `logits` names those after the last id; `nll` are negative log-probabilities of the second id and all after it. */
  cases: ({ text: string; ids: number[]; logits: string; nll: number[] } & Greedy)[];
  chats: ({ messages: { role: string; content: string }[]; rendered: string; ids: number[]; reply: string } & Greedy)[];
  passage: { text: string; ids: number[]; nll: number[] };
}

export const expectedOfSmolLm2 = (): Promise<SmolLm2> => readFixtureJson<SmolLm2>('real/smollm2/expected.json');

/** Expected tensors: `logits.N` [49152] of each case. */
export const tensorsOfSmolLm2 = (): Promise<Tensors> => tensorsOf('real/smollm2/expected.safetensors');

async function tensorsOf(path: string): Promise<Tensors> {
  const file = await readFixture(path);
  const length = Number(new DataView(file.buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + length)));
  return (name) => {
    const { shape, data_offsets: offsets } = header[name] as { shape: number[]; data_offsets: [number, number] };
    return { shape, data: new Float32Array(file.buffer.slice(8 + length + offsets[0], 8 + length + offsets[1])) };
  };
}
