/**
 * Byte-pair encoding of one piece (Sennrich et al. 2016, over bytes as in GPT-2): the neighbours whose union has the
 * lowest rank are joined, the leftmost first, until no union has one. Returns the ranks, which are the ids, of what is
 * left. Neighbours wait in a heap, O(n log n): looking for the lowest anew at every step takes minutes for 100 KB.
 * `bytes` holds one byte per char; `ranks` are below 2^21 and include every single byte.
 */
export function mergePairs(bytes: string, ranks: ReadonlyMap<string, number>): number[] {
  const n = bytes.length;
  const next = new Int32Array(n); // where the part after the one at i begins; n after the last
  const previous = new Int32Array(n); // -1 before the first
  const pairRank = new Int32Array(n).fill(-1); // of the part at i joined with the next
  const heap: number[] = []; // rank * 2^32 + i; stale where pairRank[i] has changed since

  const rank = (i: number): void => {
    const second = next[i]!;
    const found = second < n ? ranks.get(bytes.slice(i, next[second])) : undefined;
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
    if (pairRank[i] !== Math.floor(key / 2 ** 32)) continue;
    const second = next[i]!;
    pairRank[second] = -1;
    next[i] = next[second]!;
    if (next[i]! < n) previous[next[i]!] = i;
    rank(i);
    if (i > 0) rank(previous[i]!);
  }

  const ids: number[] = [];
  for (let i = 0; i < n; i = next[i]!) ids.push(ranks.get(bytes.slice(i, next[i]))!);
  return ids;
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
