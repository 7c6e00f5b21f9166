import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Checkpoint } from '../src/load/checkpoint.ts';
import { openCheckpoint } from '../src/load/open.ts';
import { gpt2Plan } from '../src/model/gpt2.ts';
import type { WeightFormat } from '../src/plan/backend.ts';
import { packedBytes, packRows, strideOf, unpackRow } from '../src/plan/formats.ts';
import type { WeightSpec } from '../src/plan/plan.ts';
import { loadCheckpoint } from '../src/run/load.ts';
import type { Model } from '../src/run/model.ts';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { 'drawn-only': { type: 'boolean', default: false }, choices: { type: 'string', default: '' } },
});
const [source = join(import.meta.dirname, '../public/models/tiny-tales'), texts = '16', tokens = '256'] = positionals;

const checkpoint = await openCheckpoint(source);
const { weights } = gpt2Plan(checkpoint.config);
const { nLayer } = checkpoint.config;
const lastTwo = new RegExp(`^h\\.(${nLayer - 1}|${nLayer - 2})\\.`);

/** A choice: the format of matrices, and those kept finer by their names. Positions and vectors are f32 in all. */
interface Choice {
  name: string;
  format: WeightFormat;
  finer?: [RegExp, WeightFormat][];
}

const words: [RegExp, WeightFormat] = [/^(wte|lm_head)/, 'q8'];
const choices: Choice[] = [
  { name: 'f16', format: 'f16' },
  { name: 'q8', format: 'q8' },
  { name: 'q8, words f16', format: 'q8', finer: [[words[0], 'f16']] },
  { name: 'q4', format: 'q4' },
  { name: 'q4, words q8', format: 'q4', finer: [words] },
  { name: 'q4, words f16', format: 'q4', finer: [[words[0], 'f16']] },
  { name: 'q4, words and c_attn q8', format: 'q4', finer: [words, [/c_attn/, 'q8']] },
  { name: 'q4, words and c_fc q8', format: 'q4', finer: [words, [/c_fc/, 'q8']] },
  { name: 'q4, words, c_attn and c_fc q8', format: 'q4', finer: [words, [/c_attn|c_fc/, 'q8']] },
  { name: 'q4, words and MLP q8', format: 'q4', finer: [words, [/mlp/, 'q8']] },
  { name: 'q4, words and first block q8', format: 'q4', finer: [words, [/^h\.0\./, 'q8']] },
  { name: 'q4, words and first two blocks q8', format: 'q4', finer: [words, [/^h\.[01]\./, 'q8']] },
  { name: 'q4, words and last two blocks q8', format: 'q4', finer: [words, [lastTwo, 'q8']] },
];

function formatOf({ name, kind }: WeightSpec, { format, finer = [] }: Choice): WeightFormat {
  if (kind === 'vector' || name === 'wpe.weight') return 'f32';
  return finer.find(([names]) => names.test(name))?.[1] ?? format;
}

/** The checkpoint with each weight as the choice keeps it, unpacked again: so any choice runs on the f32 kernels. */
function quantised(checkpoint: Checkpoint, choice: Choice): Checkpoint {
  return {
    name: checkpoint.name,
    config: checkpoint.config,
    family: checkpoint.family,
    text: checkpoint.text.bind(checkpoint),
    tensorsOf: checkpoint.tensorsOf.bind(checkpoint),
    storedAs: 'f32',
    bytes: checkpoint.bytes,
    storedAsOf: () => 'f32',
    check: (weights) => checkpoint.check(weights),
    tokenizerFiles: (signal) => checkpoint.tokenizerFiles(signal),
    close: () => checkpoint.close(),
    readFor(_, weight, signal) {
      return this.read(weight, signal);
    },
    async *read(weight, signal) {
      const format = formatOf(weight, choice);
      const row = new Float32Array(strideOf(weight.columns));
      for await (const rows of checkpoint.read(weight, signal)) {
        const packed = packRows(format, rows, weight.columns);
        const out = new Float32Array(rows.length);
        for (let r = 0; r * weight.columns < rows.length; r++) {
          unpackRow(format, packed, r, row);
          out.set(row.subarray(0, weight.columns), r * weight.columns);
        }
        yield out;
      }
    },
  };
}

const open = (checkpoint: Checkpoint): Promise<Model> => loadCheckpoint(checkpoint, { device: 'wasm', dtype: 'f32' });

/** The largest of a row of logits, where it is, and the logarithm of the sum of all exponentials. */
function measure(logits: Float32Array): { best: number; logSum: number } {
  let best = 0;
  for (let i = 1; i < logits.length; i++) if (logits[i]! > logits[best]!) best = i;
  let sum = 0;
  for (let i = 0; i < logits.length; i++) sum += Math.exp(logits[i]! - logits[best]!);
  return { best, logSum: logits[best]! + Math.log(sum) };
}

/** Sums over the predicted tokens of some texts. */
class Comparison {
  tokens = 0;
  loss = 0;
  divergence = 0;
  agreed = 0;
  squares = 0;
  largest = 0;

  add(expected: Float32Array, found: Float32Array, next: number): void {
    const [p, q] = [measure(expected), measure(found)];
    this.tokens += 1;
    this.loss += q.logSum - found[next]!;
    this.agreed += Number(p.best === q.best);
    let squares = 0;
    for (let i = 0; i < expected.length; i++) {
      const difference = found[i]! - expected[i]!;
      squares += difference ** 2;
      this.largest = Math.max(this.largest, Math.abs(difference));
      this.divergence += Math.exp(expected[i]! - p.logSum) * (q.logSum - p.logSum - difference);
    }
    this.squares += squares / expected.length;
  }

  get perplexity(): number {
    return Math.exp(this.loss / this.tokens);
  }
}

/** The logits of all but the last token of a text, [ids.length - 1, vocabSize]. */
async function logitsOf(model: Model, ids: number[]): Promise<Float32Array> {
  return (await model.logits(ids, { positions: ids.slice(1).map((_, i) => i) })).data;
}

/** A set of texts with the logits that exact weights give. */
interface Sample {
  ids: number[];
  expected: Float32Array;
}

async function compare(samples: Sample[], model?: Model): Promise<Comparison> {
  const total = new Comparison();
  for (const { ids, expected } of samples) {
    const found = model ? await logitsOf(model, ids) : expected;
    const size = found.length / (ids.length - 1);
    const row = (data: Float32Array, i: number) => data.subarray(i * size, (i + 1) * size);
    for (let i = 0; i + 1 < ids.length; i++) total.add(row(expected, i), row(found, i), ids[i + 1]!);
  }
  return total;
}

/** Texts drawn from the model itself, temperature 1, seeds 1 and up. */
async function drawn(model: Model): Promise<number[][]> {
  const length = Math.min(Number(tokens), model.config.nCtx);
  const samples: number[][] = [];
  for (let seed = 1; seed <= Number(texts); seed++) {
    const { ids } = await model.complete('', { temperature: 1, seed, maxNewTokens: length - 1 });
    samples.push([model.tokenizer.eosId ?? 0, ...ids]);
  }
  return samples;
}

const reference = await open(quantised(checkpoint, { name: 'f32', format: 'f32' }));
const stories = (await readFile(join(import.meta.dirname, 'quantisation.txt'), 'utf8')).trim().split('\n\n');
const written = stories.map((story) => [reference.tokenizer.eosId ?? 0, ...reference.tokenizer.encode(story)]);
const sampled = (set: number[][]): Promise<Sample[]> =>
  Promise.all(set.map(async (ids) => ({ ids, expected: await logitsOf(reference, ids) })));
const sets = {
  drawn: await sampled(await drawn(reference)),
  written: await sampled(values['drawn-only'] ? [] : written),
};
reference.dispose();
const length = (set: Sample[]) => set.reduce((sum, { ids }) => sum + ids.length - 1, 0);
console.log(`${source}: ${length(sets.drawn)} tokens drawn from it, ${length(sets.written)} written`);

const size = (choice: Choice) =>
  weights.reduce((sum, weight) => sum + packedBytes(formatOf(weight, choice), weight.rows, weight.columns), 0);
const exact = { drawn: await compare(sets.drawn), written: await compare(sets.written) };

async function report(choice: Choice, model?: Model): Promise<void> {
  const [ofDrawn, ofWritten] = [await compare(sets.drawn, model), await compare(sets.written, model)];
  const perplexity = (found: Comparison, base: Comparison) => {
    const change = 100 * (found.perplexity / base.perplexity - 1);
    return `${found.perplexity.toFixed(3)} (${change >= 0 ? '+' : ''}${change.toFixed(2)} %)`;
  };
  const cells = [
    choice.name,
    (size(choice) / 1e6).toFixed(1),
    perplexity(ofDrawn, exact.drawn),
    ofWritten.tokens > 0 ? perplexity(ofWritten, exact.written) : '',
    (ofDrawn.divergence / ofDrawn.tokens).toExponential(1),
    `${((100 * ofDrawn.agreed) / ofDrawn.tokens).toFixed(1)} %`,
    Math.sqrt(ofDrawn.squares / ofDrawn.tokens).toFixed(3),
    ofDrawn.largest.toFixed(2),
  ];
  console.log(`| ${cells.join(' | ')} |`);
}

console.log('| weights | MB | perplexity, drawn | written | KL, drawn | same top-1 | rms logit error | largest |');
console.log('| --- | --- | --- | --- | --- | --- | --- | --- |');
await report({ name: 'f32', format: 'f32' });
for (const choice of choices.filter(({ name }) => new RegExp(values.choices).test(name))) {
  const model = await open(quantised(checkpoint, choice));
  await report(choice, model);
  model.dispose();
}
