import type { Plan } from '../measure.mjs';
import type { Measured } from './protocol.ts';
import type { VariantTimes } from './variants.ts';

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

/** Microseconds of each kernel in each variant; the fastest of those for as many rows is bold. */
export function variantTable(variants: readonly VariantTimes[]): HTMLTableElement {
  const names = [...new Set(variants.flatMap(({ steps }) => steps.map(({ name }) => name)))];
  const element = document.createElement('table');
  const head = element.createTHead().insertRow();
  for (const name of ['microseconds', ...names])
    head.append(Object.assign(document.createElement('th'), { textContent: name }));
  const body = element.createTBody();
  const group = ({ name }: VariantTimes) => name.split(', ').slice(0, 2).join();
  const timeOf = ({ steps }: VariantTimes, name: string) => steps.find((step) => step.name === name)?.microseconds;
  for (const one of variants) {
    const line = body.insertRow();
    line.insertCell().textContent = one.clock === 'gpu' ? one.name : `${one.name} (wall clock)`;
    for (const name of names) {
      const time = timeOf(one, name);
      const rivals = variants
        .filter((other) => group(other) === group(one))
        .flatMap((other) => timeOf(other, name) ?? []);
      const cell = line.insertCell();
      cell.textContent = time === undefined ? '' : time.toFixed(1);
      if (time !== undefined && time === Math.min(...rivals)) cell.style.fontWeight = 'bold';
    }
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
