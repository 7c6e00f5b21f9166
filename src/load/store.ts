/**
 * Where a cache keeps its entries: whole values by key, each written at once or not at all. Keys are `FOLDER/NAME`.
 * `get` and `put` are all that is needed; without `keys` and `delete` models can be neither listed nor deleted.
 */
export interface CacheStore {
  /** The value; undefined or null if there is none. */
  get(key: string): Promise<Uint8Array<ArrayBuffer> | ArrayBuffer | null | undefined>;
  put(key: string, value: Uint8Array<ArrayBuffer>): Promise<void>;
  /** All keys that begin with `prefix`, which is empty or has the folder's whole name. */
  keys?(prefix: string): Promise<string[]>;
  /** Deletes all keys that begin with `prefix`. */
  delete?(prefix: string): Promise<void>;
}
