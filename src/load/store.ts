type Soon<T> = T | Promise<T>;

/**
 * Where a cache keeps its entries: whole values by key, each written at once or not at all. Keys are `FOLDER/NAME`.
 * `get` and `put` are all that is needed; without `keys` and `delete` models can be neither listed nor deleted.
 */
export interface CacheStore {
  /** The value; undefined or null if there is none. */
  get(key: string): Soon<Uint8Array<ArrayBuffer> | ArrayBuffer | null | undefined>;
  put(key: string, value: Uint8Array<ArrayBuffer>): Soon<void>;
  /** All keys that begin with `prefix`, which is empty or has the folder's whole name. */
  keys?(prefix: string): Soon<string[]>;
  /** Deletes all keys that begin with `prefix`. */
  delete?(prefix: string): Soon<void>;
}

/** A `CacheStore` that answers with promises alone. */
export type Store = {
  [K in keyof CacheStore]: NonNullable<CacheStore[K]> extends (...args: infer A) => infer R
    ? (...args: A) => Promise<Awaited<R>>
    : never;
};

/** The pieces of one version of a file in a cache. */
export interface Pieces {
  /** Bytes of each but the last. */
  size: number;
  /** What was put is used no more once `put` has settled: its memory may be. */
  copies: boolean;
  /** @param into memory of `size` bytes, for those that read into what they are given */
  get(index: number, into?: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** Keeps a piece, and tells its digest. */
  put(index: number, bytes: Uint8Array<ArrayBuffer>): Promise<string>;
  /** Those that are there, each with its digest where the cache has written that down. */
  present(): Promise<ReadonlyMap<number, string | undefined>>;
  /** A number that is another when one more is kept, by whomever. */
  moved(): Promise<number>;
  /** Lets others have what was held; whoever writes on has to close it anew. */
  close(): void;
}

/** A store that keeps the pieces of a file in a way of its own. */
export interface PieceStore extends Store {
  /** What was put is used no more once `put` has settled: its memory may be. */
  copies?: boolean;
  /** Bytes of a piece that suit it. */
  pieceBytes?: number;
  /** Those whose keys would begin with `prefix`, of so many bytes each. */
  pieces?(prefix: string, size: number): Pieces;
}
