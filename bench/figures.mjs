// Medians, spreads and shares of a run's figures.

export const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};

/** Half the distance between the smallest and the largest, as a share of the median. */
export const spread = (values) => (Math.max(...values) - Math.min(...values)) / 2 / median(values);

/** Median of a row's figure, e.g. ('decode', 64); undefined where it was not measured. */
export const figure = (row, kind, length) => (row[kind]?.[length] ? median(row[kind][length]) : undefined);

/** Rows that Vitrine is measured against: not itself, and no yardstick that is not in the browser. */
export const isPeer = (row) => row.adapter !== 'vitrine' && row.device !== 'native';

/** A peer's figure over that of the best Vitrine row on the same device and threads: above 1, Vitrine is faster. */
export function best(rows, row, kind, length) {
  const same = rows.filter(
    (other) =>
      other.adapter === 'vitrine' &&
      !other.recompute &&
      other.threads === row.threads &&
      (other.device === row.device || row.device === 'native'),
  );
  return Math.min(...same.map((other) => figure(other, kind, length) ?? Number.POSITIVE_INFINITY));
}
