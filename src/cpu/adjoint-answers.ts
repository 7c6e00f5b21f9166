/** Cross-entropies over the rows of each text: of where an answer begins, and of where it ends. */
export function answerLoss(
  x: Float32Array,
  labels: ArrayLike<number>,
  { out, lost, lossScale }: { out: Float32Array; lost: Float32Array; lossScale: number },
): void {
  /** Of each column the largest logit of the text, and the sum of the exponentials. */
  let of: [most: number, sum: number][] = [];
  for (let r = 0; r < lost.length; r++) {
    const [place, count] = [labels[2 * r]! >> 1, labels[2 * r + 1]! >> 1];
    if (place === 0) {
      of = [0, 1].map((column) => {
        const own = Array.from({ length: count }, (_, i) => x[2 * (r + i) + column]!);
        const most = own.reduce((a, b) => Math.max(a, b));
        return [most, own.reduce((sum, logit) => sum + Math.exp(logit - most), 0)];
      });
    }
    lost[r] = 0;
    for (const [column, [most, sum]] of of.entries()) {
      const i = 2 * r + column;
      const isRight = labels[i]! % 2;
      if (isRight) lost[r]! += (most + Math.log(sum) - x[i]!) / 2;
      out[i] = ((Math.exp(x[i]! - most) / sum - isRight) / 2) * lossScale;
    }
  }
}
