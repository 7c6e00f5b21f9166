import { exists, type Files, parseJson, readText } from '../load/files.ts';

import { readSmallTensors } from '../load/small-tensors.ts';
import { locate, type Source, type SourceOptions } from '../load/source.ts';
import { otherKinds } from '../load/suspects.ts';
import { badCheckpoint } from '../plan/error.ts';
import { part } from '../plan/part.ts';
import { untilAborted } from '../plan/until-aborted.ts';
import { Adapter } from './adapter.ts';
import { configFile, weightFile } from './config.ts';
import { apartFromHead, readHead } from './head.ts';

export interface AdapterOptions extends SourceOptions {
  /** Cancels the load, which rejects with the signal's reason. */
  signal?: AbortSignal;
}

/** Files by name, as `adapter.files()` gives them. */
export type NamedFiles = Readonly<Record<string, Uint8Array<ArrayBuffer> | ArrayBuffer | Blob | string>>;

/** Where an adapter is: as `Source` of models, its files by name, or the name that `adapter.save` gave it. */
export type AdapterSource = Source | NamedFiles | { saved: string };

/** Reads and checks an adapter's files. */
export async function readAdapter(source: AdapterSource, options: AdapterOptions = {}): Promise<Adapter> {
  const { signal, ...where } = options;
  signal?.throwIfAborted();
  if (isSaved(source)) {
    const { savedFiles } = await part('What keeps adapters', () => import('./saved.ts'));
    const kept = await savedFiles(source.saved, typeof where.cache === 'object' ? where.cache : undefined);
    return readAdapter(kept, signal ? { signal } : {});
  }
  const { files, weights } = await locate(isNamedFiles(source) ? blobsOf(source as NamedFiles) : source, where);
  return untilAborted(readFiles(files, weights, signal), signal);
}

async function readFiles(files: Files, weights: string | undefined, signal: AbortSignal | undefined): Promise<Adapter> {
  if (weights && isGguf(weights)) return readGgufFile(files, weights, signal);
  const text = await readText(files, configFile, signal);
  const gguf = text === undefined ? (await files.list?.(signal))?.filter(isGguf) : undefined;
  if (gguf?.length === 1) return readGgufFile(files, gguf[0]!, signal);
  const head = await readHead(files, signal);
  if (text === undefined && head) return new Adapter({ name: files.name, config: {}, tensors: new Map(), head });
  if (text === undefined) throw await lacking(files, signal);
  const config = parseJson(text, configFile) as Record<string, unknown>;
  const pickle = 'adapter_model.bin';
  if (!(await exists(files, weightFile, signal)) && (await exists(files, pickle, signal))) {
    const hint = 'Save the adapter again in Python, with save_pretrained(FOLDER, safe_serialization=True).';
    throw (await otherKinds()).pickled(pickle, hint);
  }
  const tensors = await readSmallTensors(files, weightFile, signal);
  return new Adapter(apartFromHead({ name: files.name, config, tensors, ...(head && { head }) }, weightFile));
}

const isGguf = (file: string) => /\.gguf$/i.test(file);

async function readGgufFile(files: Files, file: string, signal: AbortSignal | undefined): Promise<Adapter> {
  const { readGgufAdapter } = await part('The reader of GGUF adapters', () => import('./read-gguf.ts'));
  return readGgufAdapter(files, file, signal);
}

/** Why there is no adapter. */
async function lacking(files: Files, signal: AbortSignal | undefined) {
  if (await exists(files, 'config.json', signal)) {
    const hint = `It is a model: an adapter has ${configFile} and ${weightFile}.`;
    return badCheckpoint(`There is no ${configFile} in ${files.name}.`, hint);
  }
  return files.missing(configFile);
}

const isSaved = (source: AdapterSource): source is { saved: string } =>
  isNamedFiles(source) && Object.keys(source).join() === 'saved' && typeof source.saved === 'string';

function isNamedFiles(source: AdapterSource): source is NamedFiles {
  if (typeof source !== 'object' || source === null) return false;
  return Object.getPrototypeOf(source) === Object.prototype && !('length' in source);
}

function blobsOf(files: NamedFiles): Blob[] {
  return Object.entries(files).map(([name, content]) => new File([content], name));
}
