// Writes a run into docs/benchmarks: its figures as JSON, a plot as SVG, and the README's tables of all runs there.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { plot } from './plot.mjs';
import { tables } from './tables.mjs';

const folder = join(import.meta.dirname, '../docs/benchmarks');

const pathOf = (name) => join(folder, `${name}.json`);

/**
 * The run that lies there with what was measured now: rows in the places of their former selves, new ones behind, and the
 * machine's better figures, as whatever else ran can only have made them worse.
 */
export function withFormer(name, { rows, machine }) {
  const former = existsSync(pathOf(name)) ? JSON.parse(readFileSync(pathOf(name), 'utf8')) : { rows: [] };
  const key = ({ name, threads }) => `${name} ${threads}`;
  const left = new Map(rows.map((row) => [key(row), row]));
  const merged = former.rows.map((row) => {
    const fresh = left.get(key(row)) ?? row;
    left.delete(key(row));
    return fresh;
  });
  const rooflines = machine.rooflines.map((now) => {
    const before = former.machine?.rooflines.find(({ threads }) => threads === now.threads) ?? now;
    const better = (rate) => Math.max(now[rate], before[rate]);
    return { ...now, bytesPerSecond: better('bytesPerSecond'), flopsPerSecond: better('flopsPerSecond') };
  });
  return { rows: [...merged, ...left.values()], machine: { ...machine, rooflines } };
}

/** `name`: of the files, e.g. `wasm`. */
export function report(name, { plan: { prefill, decode, decodeTokens, repeats }, ...run }) {
  mkdirSync(folder, { recursive: true });
  const record = { ...run, plan: { prefill, decode, decodeTokens, repeats } };
  const rounded = (_, value) => (typeof value === 'number' ? Number(value.toFixed(3)) : value);
  writeFileSync(pathOf(name), `${JSON.stringify(record, rounded, 2)}\n`);
  writeFileSync(join(folder, `${name}.svg`), plot(record));
  const names = readdirSync(folder).filter((file) => file.endsWith('.json'));
  const runs = names.map((file) => [file.replace('.json', ''), JSON.parse(readFileSync(join(folder, file), 'utf8'))]);
  writeFileSync(join(folder, 'README.md'), tables(runs));
  console.log(tables([[name, record]]));
}
