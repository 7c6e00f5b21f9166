/** A record of a CSV file, and the line of the file that it begins on, from 1. */
interface Record {
  cells: string[];
  line: number;
}

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

const texts = /^(text|texts|sentence|message|content|example|input|body|title|review)s?$/i;
const labels = /^(label|class|category|kind|target|topic|tag|type|intent|sentiment)(es|s)?$/i;

const sources = /^(source|input|from|question)s?$/i;
const targets = /^(target|output|to|answer)s?$/i;

/**
 * Reads examples: CSV as RFC 4180 has it, its columns parted by commas, semicolons or tabs.
 * @param areClasses the second column names classes; else it is what a text becomes, and stands behind it
 */
export function readTable(given: string, areClasses = true): Table {
  const source = given.replace(/^\uFEFF/, '').replace(/\r\n?/g, '\n');
  const { records, problems } = recordsOf(source, separatorOf(source));
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

/** Of two columns the one with fewer different values names classes; the second where they have as many. */
function labelColumn(body: readonly Record[]): number {
  const kinds = [0, 1].map((i) => new Set(body.map(({ cells }) => cells[i]!.trim())).size);
  return kinds[0]! < kinds[1]! ? 0 : 1;
}

/** What parts the columns of most lines in two. */
function separatorOf(source: string): string {
  const parting = (separator: string) =>
    recordsOf(source.slice(0, 20_000), separator).records.filter(({ cells }) => cells.length === 2).length;
  const counts = ['\t', ',', ';'].map((separator) => [separator, parting(separator)] as const);
  return counts.reduce((best, one) => (one[1] > best[1] ? one : best), [',', 0] as const)[0];
}

function recordsOf(source: string, separator: string): { records: Record[]; problems: Problem[] } {
  const records: Record[] = [];
  const problems: Problem[] = [];
  let line = 1;
  // `space`: what stands behind a closed quote so far.
  let [cells, cell, begins, space] = [[] as string[], '', 1, ''];
  let quoted: 'no' | 'open' | 'closed' = 'no';
  const end = () => {
    if (cells.length > 0 || cell.trim() || quoted !== 'no') records.push({ cells: [...cells, cell], line: begins });
    [cells, cell, begins, quoted] = [[], '', line + 1, 'no'];
  };
  for (let i = 0; i < source.length; i++) {
    const character = source[i]!;
    if (quoted === 'open') {
      if (character === '"' && source[i + 1] === '"') cell += source[++i];
      else if (character === '"') quoted = 'closed';
      else cell += character;
    } else if (character === '"' && cell.trim() === '' && quoted === 'no') [cell, space, quoted] = ['', '', 'open'];
    else if (character === separator) [cells, cell, quoted] = [[...cells, cell], '', 'no'];
    else if (character === '\n') end();
    else if (quoted === 'no') cell += character;
    else if (!character.trim()) space += character;
    // Something stands behind a quote that was closed: the quotes are a part of the text, as people write them.
    else [cell, quoted] = [`"${cell}"${space}${character}`, 'no'];
    if (character === '\n') line++;
  }
  if (quoted === 'open') problems.push({ line: begins, what: 'open-quote' });
  else end();
  return { records, problems };
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
