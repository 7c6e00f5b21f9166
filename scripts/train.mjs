// `npm run train -- --data messages.csv --model NAME_OR_FOLDER --out FOLDER`: teaches a model examples and writes the adapter.
// The library has to be built (`npm run build:library`).
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { labelColumn, labels, recordsOf, texts } from '../src/page/teach/csv.mjs';

const usage = 'npm run train -- --data messages.csv --model NAME_OR_FOLDER --out FOLDER';
const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    model: { type: 'string' },
    out: { type: 'string' },
    method: { type: 'string', default: 'lora' },
    device: { type: 'string', default: 'auto' },
    epochs: { type: 'string' },
    rate: { type: 'string' },
    batch: { type: 'string' },
    rank: { type: 'string' },
    seed: { type: 'string' },
    evaluate: { type: 'string' },
    labels: { type: 'string' },
  },
});
for (const name of ['data', 'model', 'out']) if (!values[name]) fail(`--${name} is missing: ${usage}`);

function fail(message) {
  console.error(message);
  process.exit(1);
}

const fields = 'text label prompt completion source target question context answer'.split(' ');
/** The columns that a first line names; undefined where it is an example. */
function namedIn(first) {
  const names = first.map((cell) => cell.trim());
  if (names.every((name) => fields.includes(name))) return names;
  const known = names.map((name) => (texts.test(name) ? 'text' : labels.test(name) ? 'label' : undefined));
  return known.includes('text') && known.includes('label') && known.length === 2 ? known : undefined;
}

/** Commas, semicolons or tabs: what parts the most lines in two, or a first line into known names. */
function separated(text) {
  const tries = [',', ';', '\t'].map((separator) => {
    const { records, open } = recordsOf(text, separator);
    const { cells = [] } = records[0] ?? {};
    const named = cells.length > 1 && namedIn(cells);
    const pairs = records.filter(({ cells }) => cells.length === 2).length;
    return { records, open, score: open !== undefined ? 0 : named ? Number.POSITIVE_INFINITY : pairs };
  });
  const { records, open } = tries.reduce((one, other) => (other.score > one.score ? other : one));
  if (open !== undefined) throw new Error(`line ${open} has a quote that does not end`);
  return records.filter(({ cells }) => cells.some((cell) => cell.trim() !== ''));
}

/** Examples of a JSON file (a list, or an object with `train`) or of a CSV file, whose first line may name its columns. */
function examplesIn(path) {
  const text = readFileSync(path, 'utf8').replace(/^\uFEFF/, '');
  if (/\.json$/i.test(path)) {
    const json = JSON.parse(text);
    const list = Array.isArray(json) ? json : json?.train;
    if (!Array.isArray(list)) throw new Error(`${path} holds no list of examples, nor one by the name of train`);
    return list;
  }
  const rows = separated(text);
  if (rows.length === 0) throw new Error(`${path} is empty`);
  const [{ cells: first }] = rows;
  const named = namedIn(first);
  const isLabelFirst = first.length === 2 && labelColumn(rows) === 0;
  const columns = named ?? (isLabelFirst ? ['label', 'text'] : ['text', 'label'].slice(0, first.length));
  return rows.slice(named ? 1 : 0).map(({ cells }, i) => {
    const { length } = cells;
    if (length !== columns.length) throw new Error(`row ${i + 1} has ${length} columns, not ${columns.length}`);
    const empty = columns.find((name, at) => name !== 'answer' && cells[at].trim() === '');
    if (empty) throw new Error(`row ${i + 1} has no ${empty}`);
    return Object.fromEntries(columns.map((name, at) => [name, name === 'label' ? cells[at].trim() : cells[at]]));
  });
}

const dist = join(import.meta.dirname, '../dist');
if (!existsSync(join(dist, 'learn.js'))) fail('The library is not built: npm run build:library.');
const { inspect, load, loadEncoder, loadEncoderDecoder, loadVision } = await import(join(dist, 'vitrine.js'));
const { train } = await import(join(dist, 'learn.js'));
const loaders = { decoder: load, encoder: loadEncoder, 'encoder-decoder': loadEncoderDecoder, vision: loadVision };

try {
  const examples = examplesIn(values.data);
  console.log(`${examples.length} examples${classesOf(examples)}`);
  const { kind } = await inspect(values.model);
  const model = await loaders[kind](values.model, { device: values.device });
  const names = {
    epochs: 'epochs',
    rate: 'learningRate',
    batch: 'batchSize',
    rank: 'rank',
    seed: 'seed',
    evaluate: 'evaluate',
  };
  const given = Object.entries(names).flatMap(([flag, option]) =>
    values[flag] === undefined ? [] : [[option, Number(values[flag])]],
  );
  const named = values.labels?.split(',').map((name) => name.trim());
  const options = { method: values.method, ...Object.fromEntries(given), ...(named && { labels: named }) };
  const run = train(model, examples, options);
  for await (const { step, steps, loss, learningRate, tokensPerSecond, secondsLeft, evaluation } of run) {
    const judged = evaluation ? `, judged ${evaluation.loss.toFixed(4)}${share(evaluation.accuracy)}` : '';
    const pace = `${Math.round(tokensPerSecond)} tokens/s, ${Math.round(secondsLeft)} s left`;
    console.log(
      `${step + 1}/${steps}: loss ${loss.toFixed(4)}, rate ${learningRate.toExponential(2)}, ${pace}${judged}`,
    );
  }
  for (const [name, bytes] of Object.entries(run.adapter.files())) {
    const path = join(values.out, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, bytes);
    console.log(`wrote ${path}`);
  }
  model.dispose();
} catch (error) {
  fail(error.message);
}

/** What was read, so that a slip in the file is seen before anything is learnt. */
function classesOf(examples) {
  const counts = new Map();
  for (const { label } of examples) if (typeof label === 'string') counts.set(label, (counts.get(label) ?? 0) + 1);
  const shown = [...counts].slice(0, 12).map(([label, count]) => `${label} (${count})`);
  return counts.size > 0 ? ` of ${counts.size} classes: ${shown.join(', ')}${counts.size > 12 ? ', ...' : ''}` : '';
}

function share(accuracy) {
  return accuracy === undefined ? '' : ` (${Math.round(accuracy * 100)} % right)`;
}
