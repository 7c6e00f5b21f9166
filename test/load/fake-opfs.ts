import { vi } from 'vitest';

/** The files of an origin private file system by path, as a kill leaves them. */
export type Disk = Map<string, Uint8Array<ArrayBuffer>>;

export interface FakeOpfs {
  root: FileSystemDirectoryHandle;
  disk: Disk;
  /** Called before each write of a worker, with how to do it, or a part of it; returns what the browser answers. */
  onWrite: (path: string, write: (bytes?: number) => number) => number;
  /** Paths of files that a handle holds. */
  held: Set<string>;
  /** Called when a file is looked at, to be read. */
  onLook: (path: string, file: File) => File;
}

/** An origin private file system in memory, as a worker has it, or as a page does. */
export function fakeOpfs(disk: Disk = new Map(), kind: 'worker' | 'page' = 'worker'): FakeOpfs {
  const none = () => new DOMException('not there', 'NotFoundError');
  const held = new Set<string>();
  const fake: FakeOpfs = {
    root: undefined as unknown as FileSystemDirectoryHandle,
    disk,
    held,
    onWrite: (_, write) => write(),
    onLook: (_, file) => file,
  };
  const put = (path: string, bytes: Uint8Array, at: number) => {
    const before = disk.get(path)!;
    const after = new Uint8Array(Math.max(before.length, at + bytes.length));
    after.set(before);
    after.set(bytes, at);
    disk.set(path, after);
    return bytes.length;
  };
  class FileHandle {
    readonly path: string;
    constructor(path: string) {
      this.path = path;
    }
    async getFile() {
      const bytes = disk.get(this.path);
      if (!bytes) throw none();
      return fake.onLook(this.path, new File([bytes], this.path, { lastModified: bytes.length }));
    }
  }
  const worker = {
    async createSyncAccessHandle(this: FileHandle) {
      const { path } = this;
      if (held.has(path)) throw new DOMException('held', 'NoModificationAllowedError');
      held.add(path);
      return {
        getSize: () => disk.get(path)!.length,
        truncate: (size: number) => void disk.set(path, disk.get(path)!.slice(0, size)),
        read(into: Uint8Array, { at }: { at: number }) {
          const bytes = disk.get(path)!.subarray(at, at + into.length);
          into.set(bytes);
          return bytes.length;
        },
        write: (bytes: Uint8Array, { at }: { at: number }) =>
          fake.onWrite(path, (length = bytes.length) => put(path, bytes.subarray(0, length), at)),
        close: () => void held.delete(path),
      };
    },
  };
  const page = {
    async createWritable(this: FileHandle) {
      let whole: Uint8Array<ArrayBuffer>;
      return {
        write: async (bytes: Uint8Array<ArrayBuffer>) => void (whole = bytes.slice()),
        close: async () => void disk.set(this.path, whole),
        abort: async () => {},
      };
    },
  };
  Object.assign(FileHandle.prototype, kind === 'worker' ? worker : page);
  vi.stubGlobal('FileSystemFileHandle', FileHandle);
  const folders = new Set([...disk.keys()].map((path) => path.split('/')[0]!));
  const folderOf = (folder: string) => ({
    async getFileHandle(name: string, { create = false } = {}) {
      const path = `${folder}/${name}`;
      if (!folders.has(folder) || (!disk.has(path) && !create)) throw none();
      if (!disk.has(path)) disk.set(path, new Uint8Array());
      return new FileHandle(path);
    },
    async *keys() {
      for (const path of disk.keys()) if (path.startsWith(`${folder}/`)) yield path.slice(folder.length + 1);
    },
    async removeEntry(name: string) {
      if (held.has(`${folder}/${name}`)) throw new DOMException('held', 'NoModificationAllowedError');
      if (!disk.delete(`${folder}/${name}`)) throw none();
    },
  });
  const root = {
    async getDirectoryHandle(folder: string, { create = false } = {}) {
      if (!folders.has(folder) && !create) throw none();
      folders.add(folder);
      return folderOf(folder);
    },
    async *keys() {
      yield* [...folders];
    },
    async removeEntry(folder: string) {
      const paths = [...disk.keys()].filter((path) => path.startsWith(`${folder}/`));
      if (paths.some((path) => held.has(path))) throw new DOMException('held', 'NoModificationAllowedError');
      if (!folders.delete(folder)) throw none();
      for (const path of paths) disk.delete(path);
    },
  };
  return Object.assign(fake, { root: root as unknown as FileSystemDirectoryHandle });
}
