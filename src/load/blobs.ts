import { badCheckpoint, badOption, type VitrineError } from '../plan/error.ts';
import { type Bytes, chunkBytes, type Files, type OpenFile } from './files.ts';

/** Files that a user dropped or chose, by name. */
export class BlobFiles implements Files {
  readonly name: string;
  readonly #blobs: ReadonlyMap<string, Blob>;

  constructor(name: string, blobs: ReadonlyMap<string, Blob>) {
    this.name = name;
    this.#blobs = blobs;
  }

  async open(file: string, start: number, end: number): Promise<OpenFile | undefined> {
    // Files that were chosen one by one have lost their folder; these names are the model's own.
    const name = file.slice(file.lastIndexOf('/') + 1);
    const blob = this.#blobs.get(file) ?? (isOwn(name) ? undefined : this.#blobs.get(name));
    if (!blob) return undefined;
    return { size: blob.size, bytes: chunks(blob, file, start, Math.min(end, blob.size)) };
  }

  async list(): Promise<string[]> {
    return [...this.#blobs.keys()];
  }

  missing(file: string): VitrineError {
    return badCheckpoint(`There is no ${file} among ${this.name}.`, 'Choose all files of the model together.');
  }
}

const isOwn = (name: string) => name === 'config.json' || name === 'model.safetensors';

async function* chunks(blob: Blob, file: string, start: number, end: number): Bytes {
  for (let from = start; from < end; from += chunkBytes) {
    const part = blob.slice(from, Math.min(from + chunkBytes, end)).arrayBuffer();
    const bytes = await part.catch((cause: Error) => {
      throw badCheckpoint(`${file} could not be read: ${cause.message}.`, 'If it was changed, choose it again.', cause);
    });
    yield new Uint8Array(bytes);
  }
}

/** The files by their path in the folder that was chosen, or by name; what has none is called by what its first bytes tell. */
export async function namedBlobs(blobs: readonly Blob[]): Promise<Map<string, Blob>> {
  const named = new Map<string, Blob>();
  for (const blob of blobs) {
    const { name: given, webkitRelativePath: path } = blob as Partial<File>;
    const isKnown = given && (blobs.length > 1 || /\.\w+$/.test(given));
    const name = path ? path.slice(path.indexOf('/') + 1) : isKnown ? given : await guessName(blob);
    if (named.has(name)) throw badCheckpoint(`Two of the files are ${name}.`, 'Choose the files of one model.');
    named.set(name, blob);
  }
  return named;
}

async function guessName(blob: Blob): Promise<string> {
  const head = await blob.slice(0, 4096).text();
  if (head.startsWith('GGUF')) return 'model.gguf';
  if (head.trimStart().startsWith('#version')) return 'merges.txt';
  if (!head.trimStart().startsWith('{')) return 'model.safetensors';
  if (/"weight_map"/.test(head)) return 'model.safetensors.index.json';
  if (/"added_tokens"|"truncation"/.test(head)) return 'tokenizer.json';
  const startsWithId = /^\s*\{\s*"(?:[^"\\]|\\.)+"\s*:\s*\d+\s*[,}]/.test(head);
  return startsWithId && !/"(?:n_embd|n_layer|n_head|model_type)"\s*:/.test(head) ? 'vocab.json' : 'config.json';
}

/** Files that were handed over, and the weight file among them where there is but one. */
export async function locateBlobs(source: unknown): Promise<{ files: Files; weights?: string }> {
  const isList = typeof source === 'object' && source !== null && 'length' in source;
  const list: unknown[] = isBlob(source) ? [source] : isList ? Array.from(source as ArrayLike<unknown>) : [];
  if (list.length === 0 || !list.every(isBlob)) {
    const found = Array.isArray(source) ? `a list of ${source.length} things that are not all files` : typeof source;
    throw badOption(`The source is ${found}; expected a hub id, a URL, a path, a file or a list of files.`);
  }
  const blobs = await namedBlobs(list);
  const names = [...blobs.keys()];
  const files = new BlobFiles(names.join(', '), blobs);
  if (names.some((name) => name === 'model.safetensors' || name === 'model.safetensors.index.json')) return { files };
  const weights = [/\.safetensors$/i, /\.gguf$/i, /\.(bin|pt)$/i]
    .map((ending) => names.filter((name) => ending.test(name)))
    .find((found) => found.length === 1);
  return weights?.[0] === undefined ? { files } : { files, weights: weights[0] };
}

/** By its members: a file may come from another window. */
function isBlob(value: unknown): value is Blob {
  const { slice, arrayBuffer } = (value ?? {}) as Partial<Blob>;
  return typeof slice === 'function' && typeof arrayBuffer === 'function';
}
