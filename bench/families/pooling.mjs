/** The mean of the first `rows` rows, with length 1. */
export function embeddingOf(hidden, rows, width, start = 0) {
  const sum = new Float32Array(width);
  for (let row = 0; row < rows; row++) for (let i = 0; i < width; i++) sum[i] += hidden[start + row * width + i];
  const length = Math.hypot(...sum);
  return sum.map((value) => value / length);
}
