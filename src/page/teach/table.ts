import { labelColumn, labels, recordsOf, texts } from './csv.mjs';

/** What is wrong with a line; `fatal`: with all that follows, too. */
export type Problem =
  | { line: number; what: 'columns'; count: number }
  | { line: number; what: 'no-text' | 'no-class' | 'again' | 'open-quote' };

export interface Row {
  text: string;
  label: string;
  line: number;
}

/** Examples as they were given. */
export interface Table {
  rows: readonly Row[];
  problems: readonly Problem[];
  /** Classes in the order of their first example, with how many each has. */
  classes: readonly { label: string; count: number }[];
  /** The first line named the columns. */
  hasHeader: boolean;
}

const sources = /^(source|input|from|question)s?$/i;
const targets = /^(target|output|to|answer)s?$/i;

/**
 * Reads examples: CSV as RFC 4180 has it, its columns parted by commas, semicolons or tabs.
 * @param areClasses the second column names classes; else it is what a text becomes, and stands behind it
 */
export function readTable(given: string, areClasses = true): Table {
  const { records, open } = recordsOf(given, separatorOf(given));
  const problems: Problem[] = open === undefined ? [] : [{ line: open, what: 'open-quote' }];
  const full = records.filter(({ cells, line }) => {
    if (cells.length === 2) return true;
    problems.push({ line, what: 'columns', count: cells.length });
    return false;
  });
  const first = full[0]?.cells.map((cell) => cell.trim());
  const [ofText, ofLabel] = areClasses ? [texts, labels] : [sources, targets];
  const named = first?.map((cell) => (ofText.test(cell) ? 'text' : ofLabel.test(cell) ? 'label' : undefined));
  const hasHeader = named?.includes('text') === true && named.includes('label');
  const body = hasHeader ? full.slice(1) : full;
  const at = hasHeader ? named.indexOf('label') : areClasses ? labelColumn(body) : 1;
  const rows: Row[] = [];
  const known = new Set<string>();
  for (const { cells, line } of body) {
    const [text, label] = [cells[1 - at]!.trim(), cells[at]!.trim()];
    const key = `${text}\0${label}`;
    const what = !text ? 'no-text' : !label ? 'no-class' : known.has(key) ? 'again' : undefined;
    if (what) problems.push({ line, what });
    else rows.push({ text, label, line });
    known.add(key);
  }
  const classes = [...new Set(rows.map(({ label }) => label))].map((label) => ({
    label,
    count: rows.filter((row) => row.label === label).length,
  }));
  return { rows, problems: problems.sort((a, b) => a.line - b.line), classes, hasHeader };
}

/** What parts the columns of most lines in two. */
function separatorOf(given: string): string {
  const parting = (separator: string) =>
    recordsOf(given.slice(0, 20_000), separator).records.filter(({ cells }) => cells.length === 2).length;
  const counts = ['\t', ',', ';'].map((separator) => [separator, parting(separator)] as const);
  return counts.reduce((best, one) => (one[1] > best[1] ? one : best), [',', 0] as const)[0];
}

/** A row as a line of CSV. */
export function lineOf(text: string, label: string): string {
  const cell = (value: string) => (/[",\n;\t]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
  return `${cell(text)},${cell(label)}\n`;
}

/**
 * Parts rows into those to learn from and those to judge by: of each class the share, one at least where it has two or more. Which
 * ones is a matter of their places alone, so the same rows are parted alike.
 */
export function split<T extends { label: string }>(rows: readonly T[], share: number): { learnt: T[]; judged: T[] } {
  const [learnt, judged]: [T[], T[]] = [[], []];
  const seen = new Map<string, number>();
  const counts = new Map<string, number>();
  for (const { label } of rows) counts.set(label, (counts.get(label) ?? 0) + 1);
  for (const row of rows) {
    const nth = seen.get(row.label) ?? 0;
    seen.set(row.label, nth + 1);
    const count = counts.get(row.label)!;
    const wanted = share > 0 && count > 1 ? Math.min(count - 1, Math.max(1, Math.round(count * share))) : 0;
    // The n-th is judged where the line from 0 to `wanted` over all of them steps up.
    const isJudged = Math.floor(((nth + 1) * wanted) / count) > Math.floor((nth * wanted) / count);
    (isJudged ? judged : learnt).push(row);
  }
  return { learnt, judged };
}
