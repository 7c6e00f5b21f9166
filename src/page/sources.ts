import type { Source } from '../index.ts';
import { chooseGguf } from '../load/gguf-choice.ts';
import { strings } from './strings.ts';

/** A model as the page refers to it. */
export type ModelRef =
  | { kind: 'embedded' }
  | { kind: 'hub'; id: string }
  | { kind: 'url'; url: string }
  | { kind: 'files'; files: File[] };

export const embedded: ModelRef = { kind: 'embedded' };

/** What a visitor typed, or a link holds: an address if it looks like one, else a hub id; undefined if neither. */
export function parseModelRef(text: string): ModelRef | undefined {
  const trimmed = text.trim();
  if (/^https?:\/\//i.test(trimmed)) {
    if (!URL.canParse(trimmed)) return undefined;
    const isFile = /\.(safetensors|gguf)$/i.test(new URL(trimmed).pathname);
    return { kind: 'url', url: isFile || trimmed.endsWith('/') ? trimmed : `${trimmed}/` };
  }
  return /^[\w.-]+\/[\w.-]+$/.test(trimmed) ? { kind: 'hub', id: trimmed } : undefined;
}

/** The name to show. */
export function nameOf(ref: ModelRef): string {
  switch (ref.kind) {
    case 'embedded':
      return strings.embeddedName;
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

/** What a link can hold of it; undefined for the embedded model and for files. */
export function linkOf(ref: ModelRef): string | undefined {
  if (ref.kind === 'hub') return ref.id;
  return ref.kind === 'url' ? ref.url : undefined;
}

/** What `load` takes. */
export function sourceOf(ref: ModelRef): Source {
  switch (ref.kind) {
    case 'embedded':
      return new URL('models/tiny-tales/', document.baseURI).href;
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

/**
 * Bytes that loading it will download; undefined if the host does not say. Asks for headers only (for a sharded
 * model, its index). Throws a TypeError without a network, and resolves to 'missing' if there is no such model.
 */
export async function downloadSize(ref: ModelRef, signal: AbortSignal): Promise<number | undefined | 'missing'> {
  const folder = ref.kind === 'hub' ? `https://huggingface.co/${ref.id}/resolve/main/` : String(sourceOf(ref));
  if (!folder.endsWith('/')) return lengthOf(await fetch(folder, { method: 'HEAD', signal }));
  const whole = await fetch(new URL('model.safetensors', folder), { method: 'HEAD', signal });
  if (whole.ok) return lengthOf(whole);
  const index = await fetch(new URL('model.safetensors.index.json', folder), { signal });
  if (!index.ok) return ref.kind === 'hub' ? ggufSize(ref.id, signal) : 'missing';
  const { metadata } = (await index.json()) as { metadata?: { total_size?: number } };
  return metadata?.total_size;
}

/** Bytes of the GGUF file that `load` takes of a repository without safetensors. */
async function ggufSize(id: string, signal: AbortSignal): Promise<number | undefined | 'missing'> {
  const response = await fetch(`https://huggingface.co/api/models/${id}?blobs=true`, { signal });
  const { siblings = [] } = (await response.json().catch(() => ({}))) as {
    siblings?: { rfilename: string; size?: number }[];
  };
  const chosen = chooseGguf(siblings.map(({ rfilename }) => rfilename));
  return chosen === undefined ? 'missing' : siblings.find(({ rfilename }) => rfilename === chosen)?.size;
}

function lengthOf(response: Response): number | undefined | 'missing' {
  if (!response.ok) return 'missing';
  return Number(response.headers.get('content-length')) || undefined;
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
