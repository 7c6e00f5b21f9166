/** Normalisation over the last axis: by mean and biased variance, or not `centred`, by the mean of squares alone. */

/** output [rows, 1] = sqrt(variance + epsilon) of each row of x [rows, n]; heads that are normed apart count as rows */
export function normScale(x: Float32Array, n: number, epsilon: number, centred: boolean, output: Float32Array): void {
  for (let r = 0; r < output.length; r++) {
    const mean = centred ? meanOf(x, r * n, n) : 0;
    let variance = 0;
    for (let i = r * n; i < (r + 1) * n; i++) variance += (x[i]! - mean) ** 2;
    output[r] = Math.sqrt(variance / n + epsilon);
  }
}

/** output [rows, n] = (x - mean) / scale * weight + bias, scale [rows, 1] */
export function norm(
  x: Float32Array,
  scale: Float32Array,
  { weight, bias, centred }: { weight: Float32Array; bias: Float32Array | undefined; centred: boolean },
  n: number,
  output: Float32Array,
): void {
  for (let r = 0; r < scale.length; r++) {
    const mean = centred ? meanOf(x, r * n, n) : 0;
    for (let i = 0; i < n; i++) {
      output[r * n + i] = ((x[r * n + i]! - mean) / scale[r]!) * weight[i]! + (bias ? bias[i]! : 0);
    }
  }
}

function meanOf(x: Float32Array, start: number, n: number): number {
  let sum = 0;
  for (let i = start; i < start + n; i++) sum += x[i]!;
  return sum / n;
}
