/** output = a + b, or a * b */
export function binary(kind: 'add' | 'multiply', a: Float32Array, b: Float32Array, output: Float32Array): void {
  for (let i = 0; i < output.length; i++) output[i] = kind === 'add' ? a[i]! + b[i]! : a[i]! * b[i]!;
}
