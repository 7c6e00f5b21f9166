// Writes a run into docs/benchmarks: its figures as JSON, a plot as SVG, and the README's tables of all runs there.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { plot } from './plot.mjs';
import { tables } from './tables.mjs';

const folder = join(import.meta.dirname, '../docs/benchmarks');

/** The rows of the run that lies there, now measured ones in the places of their former selves, new ones behind. */
export function withFormer(name, rows) {
  const path = join(folder, `${name}.json`);
  const former = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')).rows : [];
  const key = ({ name, threads }) => `${name} ${threads}`;
  const left = new Map(rows.map((row) => [key(row), row]));
  const merged = former.map((row) => {
    const fresh = left.get(key(row)) ?? row;
    left.delete(key(row));
    return fresh;
  });
  return [...merged, ...left.values()];
}

/** `name`: of the files, e.g. `wasm`. */
export function report(name, { plan: { prefill, decode, decodeTokens, repeats }, ...run }) {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${name}.json`);
  const record = { ...run, plan: { prefill, decode, decodeTokens, repeats } };
  const rounded = (_, value) => (typeof value === 'number' ? Number(value.toFixed(3)) : value);
  writeFileSync(path, `${JSON.stringify(record, rounded, 2)}\n`);
  writeFileSync(join(folder, `${name}.svg`), plot(record));
  const names = readdirSync(folder).filter((file) => file.endsWith('.json'));
  const runs = names.map((file) => [file.replace('.json', ''), JSON.parse(readFileSync(join(folder, file), 'utf8'))]);
  writeFileSync(join(folder, 'README.md'), tables(runs));
  console.log(tables([[name, record]]));
}
