/** output [selected.length, n] = the selected rows of x [rows, n] */
export function selectRows(x: Float32Array, selected: readonly number[], n: number, output: Float32Array): void {
  selected.forEach((row, i) => {
    output.set(x.subarray(row * n, (row + 1) * n), i * n);
  });
}
