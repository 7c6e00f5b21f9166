/** A line of a CSV file, or several where a quote goes on, and the first one's number, from 1. */
export interface Record {
  cells: string[];
  line: number;
}

export const texts: RegExp;
export const labels: RegExp;
export function labelColumn(records: readonly Record[]): 0 | 1;
/** `open`: the line of a quote that does not end. It and what follows it are no records. */
export function recordsOf(given: string, separator: string): { records: Record[]; open?: number };
