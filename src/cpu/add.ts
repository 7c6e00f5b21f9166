/** output = a + b */
export function add(a: Float32Array, b: Float32Array, output: Float32Array): void {
  for (let i = 0; i < output.length; i++) output[i] = a[i]! + b[i]!;
}
