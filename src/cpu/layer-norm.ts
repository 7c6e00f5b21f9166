/** Layer normalisation (Ba, Kiros & Hinton 2016) over the last axis, biased variance. */

/** output [rows, 1] = sqrt(variance + epsilon) of each row of x [rows, n] */
export function layerNormScale(x: Float32Array, n: number, epsilon: number, output: Float32Array): void {
  for (let r = 0; r < output.length; r++) {
    const mean = meanOf(x, r * n, n);
    let variance = 0;
    for (let i = r * n; i < (r + 1) * n; i++) variance += (x[i]! - mean) ** 2;
    output[r] = Math.sqrt(variance / n + epsilon);
  }
}

/** output [rows, n] = (x - mean) / scale * weight + bias, scale [rows, 1] */
export function layerNorm(
  x: Float32Array,
  scale: Float32Array,
  weight: Float32Array,
  bias: Float32Array,
  n: number,
  output: Float32Array,
): void {
  for (let r = 0; r < scale.length; r++) {
    const mean = meanOf(x, r * n, n);
    for (let i = 0; i < n; i++) output[r * n + i] = ((x[r * n + i]! - mean) / scale[r]!) * weight[i]! + bias[i]!;
  }
}

function meanOf(x: Float32Array, start: number, n: number): number {
  let sum = 0;
  for (let i = start; i < start + n; i++) sum += x[i]!;
  return sum / n;
}
