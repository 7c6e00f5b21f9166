/** What a word was cut into: ids, and where each begins and ends in what was given. */
export interface Cuts {
  ids: number[];
  starts: number[];
  ends: number[];
  /** Of a whole text: which of its words each is of, as they are cut before they are looked up. */
  words?: number[];
}

/** Adds a piece to those before it. */
export function put(cuts: Cuts, id: number, start: number, end: number): void {
  cuts.ids.push(id);
  cuts.starts.push(start);
  cuts.ends.push(end);
}

/** A word that is one piece. */
export const whole = (id: number, length: number): Cuts => ({ ids: [id], starts: [0], ends: [length] });

/**
 * Byte-pair encoding of one word (Sennrich et al. 2016): the neighbours whose union has the lowest rank are joined, the leftmost first,
 * until no union has one. Neighbours wait in a heap, O(n log n): looking for the lowest anew at every step takes minutes for 100 KB.
 * `ids` are the symbols that it begins with; `rankOf` two neighbours, which are what is from `start` to `end`, is below 2^21, undefined where they do not join; `idOf` a rank is their union.
 */
export function merge(
  ids: readonly number[],
  rankOf: (left: number, right: number, start: number, end: number) => number | undefined,
  idOf: (rank: number, start: number, end: number) => number,
): Cuts {
  const n = ids.length;
  const parts = ids.slice(); // the id of the part that begins at i
  const next = new Int32Array(n); // where the part after the one at i begins; n after the last
  const previous = new Int32Array(n); // -1 before the first
  const pairRank = new Int32Array(n).fill(-1); // of the part at i joined with the next
  const heap: number[] = []; // rank * 2^32 + i; stale where pairRank[i] has changed since

  const rank = (i: number): void => {
    const second = next[i]!;
    const found = second < n ? rankOf(parts[i]!, parts[second]!, i, next[second]!) : undefined;
    pairRank[i] = found ?? -1;
    if (found !== undefined) push(heap, found * 2 ** 32 + i);
  };

  for (let i = n - 1; i >= 0; i--) {
    next[i] = i + 1;
    previous[i] = i - 1;
    rank(i);
  }
  while (heap.length > 0) {
    const key = pop(heap);
    const i = key % 2 ** 32;
    const lowest = Math.floor(key / 2 ** 32);
    if (pairRank[i] !== lowest) continue;
    const second = next[i]!;
    parts[i] = idOf(lowest, i, next[second]!);
    pairRank[second] = -1;
    next[i] = next[second]!;
    if (next[i]! < n) previous[next[i]!] = i;
    rank(i);
    if (i > 0) rank(previous[i]!);
  }

  const cuts: Cuts = { ids: [], starts: [], ends: [] };
  for (let i = 0; i < n; i = next[i]!) put(cuts, parts[i]!, i, next[i]!);
  return cuts;
}

/** Byte-pair encoding where ids are ranks: `ranks` of pieces, one byte a char, are below 2^21 and include every single byte. */
export function mergePairs(bytes: string, ranks: ReadonlyMap<string, number>): Cuts {
  const ids = Array.from(bytes, (byte) => ranks.get(byte)!);
  const rankOf = (_left: number, _right: number, start: number, end: number) => ranks.get(bytes.slice(start, end));
  return merge(ids, rankOf, (rank) => rank);
}

/** Adds a key to a binary heap, smallest first. */
function push(heap: number[], key: number): void {
  let i = heap.length;
  for (let parent = (i - 1) >> 1; i > 0 && heap[parent]! > key; parent = (i - 1) >> 1) {
    heap[i] = heap[parent]!;
    i = parent;
  }
  heap[i] = key;
}

/** Takes the smallest key off a heap that is not empty. */
function pop(heap: number[]): number {
  const smallest = heap[0]!;
  const key = heap.pop()!;
  const n = heap.length;
  if (n === 0) return smallest;
  let i = 0;
  for (let child = 1; child < n; child = 2 * i + 1) {
    if (child + 1 < n && heap[child + 1]! < heap[child]!) child++;
    if (heap[child]! >= key) break;
    heap[i] = heap[child]!;
    i = child;
  }
  heap[i] = key;
  return smallest;
}
