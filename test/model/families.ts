import { BlobFiles } from '../../src/load/blobs.ts';
import type { Checkpoint } from '../../src/load/checkpoint.ts';
import { type ConfigOf, openCheckpoint } from '../../src/load/open.ts';
import { readDirectory } from '../../src/load/safetensors.ts';
import type { Kind } from '../../src/model/family.ts';
import type { WeightFormat } from '../../src/plan/backend.ts';
import { Encoder } from '../../src/run/encoder.ts';
import type { EncoderIds } from '../../src/run/encoder-input.ts';
import { Engine } from '../../src/run/engine.ts';
import { readEncoderFiles } from '../../src/run/load-encoder.ts';
import { settingsOf } from '../../src/run/load-vision.ts';
import { Vision } from '../../src/run/vision.ts';
import { weightFormats } from '../../src/run/weight-formats.ts';
import type { TestBackend } from '../backends.ts';
import { readFixture, readFixtureJson, readModelFile } from '../fixtures.ts';
import type { TinyCheckpoint } from '../load/tiny-checkpoint.ts';

/** A case of a family's fixture: the inputs, and the tensors of expected.safetensors by what they are. */
export interface FamilyCase {
  name: string;
  input_ids: number[][];
  attention_mask?: number[][];
  token_type_ids?: number[][];
  decoder_input_ids?: number[][];
  outputs: Record<string, { tensor: string; shape: number[]; values?: number[][] }>;
}

/** A generation of a family's fixture: options under Hugging Face's names, and the best texts. */
export interface FamilyGeneration {
  name: string;
  input_ids: number[];
  options: Record<string, unknown>;
  sequences: { new_ids: number[]; score?: number }[];
}

export interface FamilyExpected {
  accept: Record<string, number>;
  cases: FamilyCase[];
  generations?: FamilyGeneration[];
  texts?: { text: string; ids: number[]; decoded: string }[];
  sentences?: { text: string; ids: number[]; embedding: number[] }[];
  similarities?: number[][];
  fill_mask?: { text: string; mask_position: number; top: { id: number; token: string; probability: number }[] }[];
  trace?: { case: string; accept_relative_to_largest: number; names: string[] };
}

const folder = (name: string) => `families/${name}`;

/** A fixture's folder, or one of public/models/ (`models/tiny-digits`), as `load` takes it: the files named, those that are there. */
export async function familyFiles(name: string, files: readonly string[]): Promise<File[]> {
  const file = async (path: string) => {
    const read = name.startsWith('models/')
      ? readModelFile(`${name.slice('models/'.length)}/${path}`)
      : readFixture(`${folder(name)}/${path}`);
    const bytes = await read.catch(() => undefined);
    return bytes && new File([new Uint8Array(bytes)], path);
  };
  return (await Promise.all(files.map(file))).filter((one) => one !== undefined);
}

/** A family's fixture on a backend, as the loaders put it there. */
export async function openFamily<K extends Kind>(
  { open }: TestBackend,
  name: string,
  kind: K,
  dtype: 'auto' | WeightFormat = 'auto',
  more: readonly string[] = [],
  change = (file: File): File | Promise<File> => file,
): Promise<{ checkpoint: Checkpoint<ConfigOf[K]>; engine: Engine }> {
  const files = await familyFiles(name, ['config.json', 'model.safetensors', ...more]);
  const checkpoint = await openCheckpoint(await Promise.all(files.map(change)), { kind });
  const plan = checkpoint.family.plan(checkpoint.config);
  const weights = checkpoint.check(plan.weights);
  const engine = await Engine.open({
    plan,
    context: plan.nCtx,
    reopens: true,
    async open() {
      const backend = await open();
      const formats = weightFormats(checkpoint, plan, weights, dtype, backend);
      for (const weight of weights) {
        const format = formats.of(weight);
        await backend.addWeight(weight, format, checkpoint.readFor(format, weight));
      }
      return backend;
    },
  });
  return { checkpoint, engine };
}

/** The texts of an encoder's case, as `run` takes them. */
export const casesOf = ({ input_ids, attention_mask, token_type_ids }: FamilyCase): EncoderIds[] =>
  input_ids.map((ids, i) => ({
    ids,
    ...(attention_mask && { mask: attention_mask[i]! }),
    ...(token_type_ids && { types: token_type_ids[i]! }),
  }));

/** What an encoder's folder may hold beside its config and weights. */
export const encoderFiles = [
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'modules.json',
  'sentence_bert_config.json',
  'config_sentence_transformers.json',
  '1_Pooling/config.json',
];

/** An encoder's fixture on a backend, with its tokenizer and what its files say of embeddings. */
export async function openEncoder(
  backend: TestBackend,
  name: string,
  dtype: 'auto' | WeightFormat = 'auto',
): Promise<Encoder> {
  const { checkpoint, engine } = await openFamily(backend, name, 'encoder', dtype, encoderFiles);
  const small = await readEncoderFiles(checkpoint);
  return new Encoder({ config: checkpoint.config, engine, chosen: { dtype: 'f32', reason: '' }, ...small });
}

/** An image encoder's fixture on a backend; `rename`: its tensors under other names. */
export async function openVision(
  backend: TestBackend,
  name: string,
  dtype: 'auto' | WeightFormat = 'auto',
  rename?: (name: string) => string,
): Promise<Vision> {
  const change = (file: File) => (rename && file.name.endsWith('.safetensors') ? withNames(file, rename) : file);
  const more = ['preprocessor_config.json'];
  const { checkpoint, engine } = await openFamily(backend, name, 'vision', dtype, more, change);
  return new Vision(checkpoint.config, await settingsOf(checkpoint), engine, { dtype: 'f32', reason: '' });
}

/** A safetensors file with other names in its header. */
async function withNames(file: File, rename: (name: string) => string): Promise<File> {
  const bytes = await file.arrayBuffer();
  const end = 8 + Number(new DataView(bytes).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(bytes.slice(8, end))) as Record<string, unknown>;
  const renamed = Object.fromEntries(Object.entries(header).map(([name, entry]) => [rename(name), entry]));
  const text = new TextEncoder().encode(JSON.stringify(renamed));
  return new File([BigUint64Array.of(BigInt(text.length)), text, bytes.slice(end)], file.name);
}

export const familyExpected = (name: string) => readFixtureJson<FamilyExpected>(`${folder(name)}/expected.json`);

/** The F32 tensors of a safetensors file of a fixture, by name. */
export async function tensorsOf(
  name: string,
  file: string,
): Promise<Map<string, { data: Float32Array; shape: number[] }>> {
  const bytes = new Uint8Array(await readFixture(`${folder(name)}/${file}`));
  const directory = await readDirectory(new BlobFiles(file, new Map([[file, new Blob([bytes])]])), file);
  return new Map(
    directory!
      .filter(({ dtype }) => dtype === 'F32')
      .map(({ name, shape, start, end }) => [name, { shape, data: new Float32Array(bytes.slice(start, end).buffer) }]),
  );
}

/** A family's fixture as its parts, to be changed. */
export async function familyCheckpoint(name: string): Promise<TinyCheckpoint> {
  const bytes = new Uint8Array(await readFixture(`${folder(name)}/model.safetensors`));
  const file = 'model.safetensors';
  const directory = await readDirectory(new BlobFiles(file, new Map([[file, new Blob([bytes])]])), file);
  return {
    config: await readFixtureJson(`${folder(name)}/config.json`),
    tensors: new Map(
      directory!.map(({ name, dtype, shape, start, end }) => [name, { dtype, shape, bytes: bytes.slice(start, end) }]),
    ),
  };
}
