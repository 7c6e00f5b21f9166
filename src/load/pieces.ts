import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import type { PieceStore, Pieces } from './store.ts';

/** First half of the sha256 of a piece: enough against accidents. */
export async function digestOf(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const { subtle } = globalThis.crypto; // faster by far; absent in pages that are not from https
  const digest = subtle ? new Uint8Array(await subtle.digest('SHA-256', bytes)) : sha256(bytes);
  return bytesToHex(digest.subarray(0, 16));
}

/** Pieces that are each an entry of a store. `count`: how many there may be, for stores that cannot list. */
export function entryPieces(store: PieceStore, prefix: string, size: number, count: number): Pieces {
  const get = async (index: number) => {
    const value = await store.get(prefix + index);
    return value ? new Uint8Array(value) : undefined;
  };
  const present = async () => {
    const found = new Map<number, undefined>();
    if (store.keys) {
      for (const key of await store.keys(prefix)) found.set(Number(key.slice(prefix.length)), undefined);
    } else for (let index = 0; index < count; index++) if (await get(index)) found.set(index, undefined);
    return found;
  };
  return {
    size,
    copies: store.copies ?? false,
    get,
    async put(index, bytes) {
      await store.put(prefix + index, bytes);
      return digestOf(bytes);
    },
    present,
    moved: async () => (await present()).size,
    close() {},
  };
}
