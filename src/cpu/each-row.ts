import { keysOf, type Run } from './run.ts';

/** The keys that a row sees of a head. */
interface SeenKeys {
  head: number;
  /** The query among [rows, nHead]. */
  query: number;
  count: number;
  /** The first one's value in [nHead, rows, keys]. */
  at: number;
  /** The first one in the cache, and how far the next one is behind it. */
  start: number;
  stride: number;
  /** How many places the first one lies behind the row's own. */
  distance: number;
}

/** Calls `visit` for every head of every row. */
export function eachRow(
  { source, window = Number.POSITIVE_INFINITY }: { source: string; window?: number },
  nHead: number,
  run: Run,
  visit: (seen: SeenKeys) => void,
): void {
  const { nHead: keyHeads, headDim } = run.cache(source);
  const keys = keysOf(source, run);
  const places = run.places(source);
  const stride = keyHeads * headDim;
  for (let head = 0; head < nHead; head++) {
    const keyHead = Math.floor((head * keyHeads) / nHead);
    for (const [row, { place, first, count: all }] of places.entries()) {
      const skipped = Math.max(0, all - window);
      const [from, count] = [first + skipped, all - skipped];
      const at = (head * places.length + row) * keys + skipped;
      const start = from * stride + keyHead * headDim;
      visit({ head, query: row * nHead + head, count, at, start, stride, distance: from - place });
    }
  }
}

/** Adds n values times a factor to sums. */
export function addTimes(n: number, factor: number, from: Float32Array, start: number, sums: Float64Array, at: number) {
  for (let i = 0; i < n; i++) sums[at + i]! += factor * from[start + i]!;
}

export function dot(n: number, a: Float32Array, at: number, b: Float32Array, start: number): number {
  let sum = 0;
  for (let i = 0; i < n; i++) sum += a[at + i]! * b[start + i]!;
  return sum;
}
