import type { Plan } from '../measure.mjs';
import type { Measured } from './protocol.ts';

const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1]!;
const ms = (value: number) => (value < 100 ? value.toFixed(1) : value.toFixed(0));

/** Columns of the table: a heading, and a row's cell. */
type Column = [head: string, cell: (row: Measured) => string];

/** The rows as a table, with the share of the roofline: the weights' bytes a token over what the GPU copies a second. */
export function table(rows: readonly Measured[], plan: Plan): HTMLTableElement {
  const shortest = plan.decode[0]!;
  const perToken = (row: Measured) => median(row.decode[shortest]!);
  const columns: Column[] = [
    ['', (row) => row.name],
    ['load, ms', (row) => ms(row.load)],
    ['first token, ms', (row) => ms(row.firstToken)],
    ...plan.prefill.map((n): Column => [`prefill ${n}, ms`, (row) => ms(median(row.prefill[n]!))]),
    ...plan.decode.map((n): Column => [`token at ${n}, ms`, (row) => ms(median(row.decode[n]!))]),
    ['tokens/s', (row) => (1000 / perToken(row)).toFixed(0)],
    ['weights, MB', (row) => (row.bytes / 1e6).toFixed(0)],
    ['of the roofline', (row) => shareOfRoofline(row, perToken(row))],
    ['dispatches, submits, creations a token', countsOf],
  ];
  const element = document.createElement('table');
  const head = element.createTHead().insertRow();
  for (const [name] of columns) head.append(Object.assign(document.createElement('th'), { textContent: name }));
  const body = element.createTBody();
  for (const row of rows) {
    const line = body.insertRow();
    for (const [, cell] of columns) line.insertCell().textContent = cell(row);
  }
  return element;
}

function shareOfRoofline({ bytes, copyBytesPerSecond }: Measured, msPerToken: number): string {
  if (copyBytesPerSecond === undefined) return '–';
  const share = bytes / (msPerToken / 1000) / copyBytesPerSecond;
  return `${(100 * share).toFixed(0)} % of ${(copyBytesPerSecond / 1e9).toFixed(0)} GB/s`;
}

function countsOf({ counts }: Measured): string {
  if (!counts) return '–';
  return [counts.dispatches, counts.submits, counts.creations].map((count) => Number(count.toPrecision(3))).join(', ');
}
