// Compares two results of bench.html, or of `npm run bench`: node bench/compare.mjs a.json b.json
// The table has the figures that both have, and how many times a's each of b's is; below 1 b is faster, or smaller.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};
const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
const isFigure = (value) => typeof value === 'number' && Number.isFinite(value);

/**
 * A result, checked.
 * @param {string} text of a file
 * @param {string} name of the file, for errors
 */
export function parseResult(text, name) {
  const refuse = (why) => {
    throw new Error(
      `${name} is no result: ${why}. Expected what bench.html downloads, or a JSON file of docs/benchmarks.`,
    );
  };
  let result;
  try {
    result = JSON.parse(text);
  } catch (error) {
    refuse(`it is no JSON (${error.message})`);
  }
  if (!isObject(result)) refuse('it holds no object');
  if (!Array.isArray(result.rows)) refuse('it has no list of rows');
  for (const [i, row] of result.rows.entries()) {
    if (!isObject(row) || typeof row.name !== 'string') refuse(`row ${i} has no name`);
    for (const kind of ['prefill', 'decode']) {
      for (const [length, times] of Object.entries(row[kind] ?? {})) {
        if (!Array.isArray(times) || times.length === 0 || !times.every(isFigure))
          refuse(`${kind} ${length} of ${row.name} is no list of milliseconds`);
      }
    }
  }
  for (const [i, one] of (result.variants ?? []).entries()) {
    const isOne = isObject(one) && typeof one.name === 'string' && Array.isArray(one.steps);
    if (!isOne || !one.steps.every((step) => typeof step?.name === 'string' && isFigure(step.microseconds)))
      refuse(`variant ${i} has no steps with microseconds`);
  }
  return result;
}

/** Names of rows that a result has more than once: those of several numbers of threads. */
const repeated = ({ rows }) => rows.map(({ name }) => name).filter((name, i, all) => all.indexOf(name) < i);

/** The figures of a result, by what they are of. */
function figuresOf({ rows, variants = [] }, byThreads) {
  const figures = new Map();
  const add = (row, what, value) => {
    if (isFigure(value)) figures.set(JSON.stringify([row, what]), { row, what, value });
  };
  for (const given of rows) {
    const row = byThreads.has(given.name) ? { ...given, name: `${given.name}, ${given.threads} threads` } : given;
    add(row.name, 'load, ms', row.load);
    add(row.name, 'first token, ms', row.firstToken);
    for (const kind of ['prefill', 'decode']) {
      for (const [length, times] of Object.entries(row[kind] ?? {}))
        add(row.name, kind === 'prefill' ? `prefill ${length}, ms` : `token at ${length}, ms`, median(times));
    }
    add(row.name, 'weights, bytes', row.bytes);
    for (const [name, value] of Object.entries(row.counts ?? {})) add(row.name, `${name} a token`, value);
  }
  for (const { name, steps } of variants) for (const step of steps) add(name, `${step.name}, µs`, step.microseconds);
  return figures;
}

/** What of two objects differs, field by field, as `name: a -> b`. */
const changes = (what, a = {}, b = {}) =>
  [...new Set([...Object.keys(a), ...Object.keys(b)])]
    .filter((name) => JSON.stringify(a[name]) !== JSON.stringify(b[name]))
    .map((name) => `${what} ${name}: ${JSON.stringify(a[name]) ?? 'none'} -> ${JSON.stringify(b[name]) ?? 'none'}`);

/** The figures that both results have, with their ratios, what only one has, and in what else they differ. */
export function compareResults(a, b) {
  const byThreads = new Set([...repeated(a), ...repeated(b)]);
  const [of, to] = [figuresOf(a, byThreads), figuresOf(b, byThreads)];
  const both = [...of]
    .filter(([key]) => to.has(key))
    .map(([key, { row, what, value }]) => {
      const other = to.get(key).value;
      return { row, what, a: value, b: other, ratio: value === other ? 1 : other / value };
    });
  const only = (some, others) =>
    [...some].filter(([key]) => !others.has(key)).map(([, { row, what }]) => `${row}: ${what}`);
  return {
    both,
    changed: [
      ...changes('', { model: a.model }, { model: b.model }).map((line) => line.trim()),
      ...changes('machine', a.machine, b.machine),
      ...changes('plan', a.plan, b.plan),
    ],
    onlyA: only(of, to),
    onlyB: only(to, of),
  };
}

const figure = (value) => String(Number(value.toPrecision(4)));

/** A comparison in Markdown. */
export function describeComparison({ both, changed, onlyA, onlyB }, [nameA, nameB]) {
  const cell = (text) => String(text).replaceAll('|', '/');
  const lines = [
    `| | | ${cell(nameA)} | ${cell(nameB)} | ratio |`,
    '| --- | --- | ---: | ---: | ---: |',
    ...both.map(
      ({ row, what, a, b, ratio }) =>
        `| ${cell(row)} | ${cell(what)} | ${figure(a)} | ${figure(b)} | ${Number.isFinite(ratio) ? ratio.toFixed(3) : '–'} |`,
    ),
  ];
  const list = (title, items) => (items.length > 0 ? ['', `${title}:`, '', ...items.map((item) => `- ${item}`)] : []);
  return [
    ...lines,
    ...list('What else differs', changed),
    ...list(`Only in ${nameA}`, onlyA),
    ...list(`Only in ${nameB}`, onlyB),
  ].join('\n');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const names = process.argv.slice(2);
  try {
    if (names.length !== 2) throw new Error('Usage: node bench/compare.mjs a.json b.json');
    const [a, b] = names.map((name) => parseResult(readFileSync(name, 'utf8'), name));
    const compared = compareResults(a, b);
    if (compared.both.length === 0) throw new Error(`${names.join(' and ')} have no figure in common.`);
    console.log(describeComparison(compared, names));
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}
