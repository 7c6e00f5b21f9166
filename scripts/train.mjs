// `npm run train -- --data messages.csv --model NAME_OR_FOLDER --out FOLDER`: teaches a model examples and writes the adapter.
// The library has to be built (`npm run build:library`).
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';

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

/** The rows of a CSV file (RFC 4180): fields in quotes may hold commas, lines and, doubled, quotes. */
function rowsOf(text) {
  const rows = [[]];
  const field = /("(?:[^"]|"")*"|[^",\r\n]*)(,|\r?\n|$)/y;
  for (let at = 0; at < text.length; at = field.lastIndex) {
    field.lastIndex = at;
    const found = field.exec(text);
    if (!found) throw new Error(`line ${text.slice(0, at).split('\n').length} has a quote that does not end`);
    const [, value, end] = found;
    rows.at(-1).push(value.startsWith('"') ? value.slice(1, -1).replaceAll('""', '"') : value);
    if (end !== ',' && field.lastIndex < text.length) rows.push([]);
    if (end === '') break;
  }
  return rows.filter((row) => row.some((value) => value !== ''));
}

/** Examples of a JSON file (a list, or an object with `train`) or of a CSV file, whose first line may name its columns. */
function examplesIn(path) {
  const text = readFileSync(path, 'utf8').replace(/^\uFEFF/, '');
  if (/\.json$/i.test(path)) {
    const json = JSON.parse(text);
    return Array.isArray(json) ? json : json.train;
  }
  const rows = rowsOf(text);
  const [first] = rows;
  const names = 'text label prompt completion source target question context answer'.split(' ');
  const isNamed = first.every((name) => names.includes(name));
  const columns = isNamed ? first : ['text', 'label'].slice(0, first.length);
  return rows.slice(isNamed ? 1 : 0).map((row, i) => {
    if (row.length !== columns.length) throw new Error(`row ${i + 1} has ${row.length} columns, not ${columns.length}`);
    return Object.fromEntries(columns.map((name, at) => [name, row[at]]));
  });
}

const dist = join(import.meta.dirname, '../dist');
if (!existsSync(join(dist, 'learn.js'))) fail('The library is not built: npm run build:library.');
const { inspect, load, loadEncoder, loadEncoderDecoder, loadVision } = await import(join(dist, 'vitrine.js'));
const { train } = await import(join(dist, 'learn.js'));
const loaders = { decoder: load, encoder: loadEncoder, 'encoder-decoder': loadEncoderDecoder, vision: loadVision };

try {
  const examples = examplesIn(values.data);
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
  const labels = values.labels?.split(',').map((name) => name.trim());
  const options = { method: values.method, ...Object.fromEntries(given), ...(labels && { labels }) };
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

function share(accuracy) {
  return accuracy === undefined ? '' : ` (${Math.round(accuracy * 100)} % right)`;
}
