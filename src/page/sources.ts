import type { Source } from '../index.ts';
import { type EmbeddedName, embeddedKinds } from './embedded.ts';
import { strings } from './strings.ts';

/** A model as the page refers to it. `token`: of the hub, for a gated model; it is kept nowhere. `adapter`: files of one to be put on. */
export type ModelRef = { adapter?: File[] } & (
  | { kind: 'embedded'; name: EmbeddedName }
  | { kind: 'hub'; id: string; token?: string }
  | { kind: 'url'; url: string }
  | { kind: 'files'; files: File[] }
);

/** The one that writes, which a first visit opens. */
export const embedded: ModelRef = { kind: 'embedded', name: 'tiny-tales' };

const addressOf = (name: string) => new URL(`models/${name}/`, document.baseURI).href;

/**
 * What a visitor typed, or a link holds: the name or the address of a model of this page, an address if it looks like one, else a
 * hub id; undefined if neither.
 */
export function parseModelRef(text: string): ModelRef | undefined {
  const trimmed = text.trim();
  const names = Object.keys(embeddedKinds) as EmbeddedName[];
  const own = names.find((name) => trimmed === name || trimmed === addressOf(name));
  if (own) return { kind: 'embedded', name: own };
  if (/^https?:\/\//i.test(trimmed)) {
    if (!URL.canParse(trimmed)) return undefined;
    const isFile = /\.(safetensors|gguf)$/i.test(new URL(trimmed).pathname);
    return { kind: 'url', url: isFile || trimmed.endsWith('/') ? trimmed : `${trimmed}/` };
  }
  return /^[\w.-]+\/[\w.-]+$/.test(trimmed) ? { kind: 'hub', id: trimmed } : undefined;
}

/** The name to show. */
export function nameOf(ref: ModelRef): string {
  if (ref.adapter) return strings.withAdapter(nameOf({ ...ref, adapter: undefined } as ModelRef));
  switch (ref.kind) {
    case 'embedded':
      return strings.embeddedNames[ref.name];
    case 'hub':
      return ref.id;
    case 'url':
      return ref.url.replace(/^https?:\/\//, '').replace(/\/$/, '');
    case 'files':
      return strings.fileModel(ref.files.map((file) => file.name));
    default:
      return ref satisfies never;
  }
}

/** The name on the model's card: of an address what its last part says, the way to it aside. */
export function titleOf(ref: ModelRef): string {
  if (ref.kind !== 'url' || ref.adapter) return nameOf(ref);
  const { pathname, host } = new URL(ref.url);
  // A folder of a hub ends in its branch.
  return (
    pathname
      .replace(/\/resolve\/[^/]+\/?$/, '')
      .split('/')
      .findLast((part) => part !== '') ?? host
  );
}

/** What a link can hold of it; undefined for the one that a visit opens, and for files. */
export function linkOf(ref: ModelRef): string | undefined {
  if (ref.kind === 'hub') return ref.id;
  if (ref.kind === 'embedded') return ref.name === 'tiny-tales' ? undefined : ref.name;
  return ref.kind === 'url' ? ref.url : undefined;
}

/** Whether two are one model, as far as names tell. */
export function isSame(a: ModelRef | undefined, b: ModelRef | undefined): boolean {
  return (
    a === b ||
    (a !== undefined && a.kind === b?.kind && a.kind !== 'files' && a.adapter === b.adapter && linkOf(a) === linkOf(b))
  );
}

/** What `load` takes. */
export function sourceOf(ref: ModelRef): Source {
  switch (ref.kind) {
    case 'embedded':
      return addressOf(ref.name);
    case 'hub':
      return ref.id;
    case 'url':
      return ref.url;
    case 'files':
      return ref.files;
    default:
      return ref satisfies never;
  }
}

/** The files of a drop: those dropped, and those directly inside dropped folders. */
export async function droppedFiles(data: DataTransfer): Promise<File[]> {
  // Both lists are emptied when the event handler returns: read them before the first await.
  const entries = [...data.items].map((item) => item.webkitGetAsEntry());
  const files = [...data.files];
  const folders = entries.filter((entry): entry is FileSystemDirectoryEntry => entry?.isDirectory === true);
  if (!folders.length) return files;
  const inside = await Promise.all(folders.map(filesIn));
  const loose = entries.filter((entry): entry is FileSystemFileEntry => entry?.isFile === true);
  return Promise.all([...loose, ...inside.flat()].map((entry) => new Promise<File>(entry.file.bind(entry))));
}

async function filesIn(folder: FileSystemDirectoryEntry): Promise<FileSystemFileEntry[]> {
  const reader = folder.createReader();
  const found: FileSystemEntry[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) break; // a reader hands out at most 100 at a time
    found.push(...some);
  }
  return found.filter((entry): entry is FileSystemFileEntry => entry.isFile);
}
