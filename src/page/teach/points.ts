/** Vectors on a plane, and how well neighbours agree. */

/**
 * The two directions in which vectors differ most (principal components), by power iteration on their products: [n, 2] places,
 * scaled so that the largest is 1 from the middle.
 */
export function flattened(vectors: readonly Float32Array[]): [number, number][] {
  const count = vectors.length;
  const width = vectors[0]?.length ?? 0;
  const mean = new Float64Array(width);
  for (const vector of vectors) for (let i = 0; i < width; i++) mean[i]! += vector[i]! / count;
  const centred = vectors.map((vector) => Float64Array.from(vector, (value, i) => value - mean[i]!));
  const products = centred.map((a) =>
    Float64Array.from(centred, (b) => a.reduce((sum, value, i) => sum + value * b[i]!, 0)),
  );
  const first = strongest(products, []);
  const second = strongest(products, [first.direction]);
  const places = vectors.map((_, i): [number, number] => [
    first.direction[i]! * first.size,
    second.direction[i]! * second.size,
  ]);
  const most = places.reduce((max, [x, y]) => Math.max(max, Math.abs(x), Math.abs(y)), 1e-12);
  return places.map(([x, y]) => [x / most, y / most]);
}

/** A unit eigenvector of a symmetric matrix, at right angles to others, and the root of its value. Its largest entry is positive. */
function strongest(
  matrix: readonly Float64Array[],
  others: readonly Float64Array[],
): { direction: Float64Array; size: number } {
  // Any beginning that is not at right angles to it; this one is the same each time.
  let direction = Float64Array.from(matrix, (_, i) => Math.sin(i + 1));
  let size = 0;
  for (let turn = 0; turn < 200; turn++) {
    const next = Float64Array.from(matrix, (row) => row.reduce((sum, value, i) => sum + value * direction[i]!, 0));
    for (const other of others) {
      const along = other.reduce((sum, value, i) => sum + value * next[i]!, 0);
      for (let i = 0; i < next.length; i++) next[i]! -= along * other[i]!;
    }
    size = Math.hypot(...next);
    if (size < 1e-12) break;
    direction = next.map((value) => value / size);
  }
  const largest = direction.reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a), 0);
  if (largest < 0) direction = direction.map((value) => -value);
  return { direction, size: Math.sqrt(Math.max(0, size)) };
}

/** How many of some vectors have as their nearest other one (by cosine) one of their own class. */
export function agreeing(vectors: readonly Float32Array[], labels: readonly string[], of: readonly number[]): number {
  const lengths = vectors.map((vector) => Math.hypot(...vector) || 1);
  const cosine = (i: number, j: number) =>
    vectors[i]!.reduce((sum, value, k) => sum + value * vectors[j]![k]!, 0) / (lengths[i]! * lengths[j]!);
  return of.filter((i) => {
    let [best, at] = [Number.NEGATIVE_INFINITY, -1];
    for (let j = 0; j < vectors.length; j++) {
      const near = j === i ? Number.NEGATIVE_INFINITY : cosine(i, j);
      if (near > best) [best, at] = [near, j];
    }
    return labels[at] === labels[i];
  }).length;
}
