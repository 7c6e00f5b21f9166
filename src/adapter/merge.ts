import type { Checkpoint, StoredPart } from '../load/checkpoint.ts';
import { parseJson } from '../load/files.ts';
import { transposeRows } from '../load/values.ts';
import type { BaseConfig } from '../model/family.ts';
import type { Changes, Product, Uses } from '../plan/adapt.ts';
import { VitrineError } from '../plan/error.ts';
import { type Plan, piecesOf, stepWeights, type WeightSpec } from '../plan/plan.ts';
import type { AdapterTensor } from './parts.ts';
import { writeSafetensors } from './write.ts';

/** What a folder has beside config and weights, as text. */
const beside = [
  ...[
    'generation_config.json',
    'tokenizer.json',
    'tokenizer_config.json',
    'special_tokens_map.json',
    'added_tokens.json',
  ],
  ...['vocab.json', 'merges.txt', 'vocab.txt', 'preprocessor_config.json', 'chat_template.jinja'],
  ...['modules.json', 'sentence_bert_config.json', 'config_sentence_transformers.json', '1_Pooling/config.json'],
];

type Files = Record<string, Uint8Array<ArrayBuffer>>;

/** The files of a whole model, float32: the base's with an adapter's changes in them. */
export async function merged(
  checkpoint: Checkpoint<BaseConfig>,
  plan: Plan,
  changes: Changes,
  signal?: AbortSignal,
): Promise<Files> {
  const config = await checkpoint.text('config.json', signal);
  if (config === undefined || !checkpoint.partsOf) {
    throw new VitrineError('bad-option', `${checkpoint.name} is a GGUF file, and merge writes safetensors.`, {
      hint: 'Load the base from its safetensors, or use llama-export-lora.',
    });
  }
  const json = parseJson(config, 'config.json') as Record<string, unknown>;
  const tensors = new Map<string, AdapterTensor>();
  const files: Files = {};
  const used = usesOf(plan);
  const { ties } = checkpoint.family;
  try {
    for (const spec of checkpoint.check(plan.weights)) {
      signal?.throwIfAborted();
      const values = await wholeOf(checkpoint, spec, signal);
      const parts = checkpoint.partsOf(spec);
      if (spec.computed) {
        for (const [i, part] of parts.entries()) {
          const own = changes.sources.get(part.planName) ?? values[i]!;
          if (!tensors.has(part.name)) tensors.set(part.name, { data: own, shape: part.shape });
        }
        continue;
      }
      const [first, ...others] = (used.get(spec.name) ?? ['layers']).map((uses) => ({
        uses,
        values: changed(spec, values[0]!, uses, changes),
      }));
      put(tensors, spec, parts, first!.values);
      for (const { uses, values: own } of others) {
        if (own.every((value, i) => value === first!.values[i])) continue;
        const tie = ties(checkpoint.config).find((names) => names[0] === spec.name);
        if (uses !== 'layers' || !tie) {
          throw new VitrineError('bad-option', `${spec.name} is used in two ways, which the adapter changes apart.`, {
            hint: 'No file of this family can hold that: keep the adapter beside its base.',
          });
        }
        tensors.set(tie.at(-1)!, { data: own, shape: parts[0]!.shape });
        json.tie_word_embeddings = false;
      }
    }
    await checkpoint.verify?.();
  } finally {
    checkpoint.close();
  }
  for (const name of beside) {
    const text = await checkpoint.text(name, signal);
    if (text !== undefined) files[name] = utf8(text);
  }
  const { torch_dtype: _, ...rest } = json;
  return {
    ...files,
    'config.json': utf8(`${JSON.stringify({ ...rest, dtype: 'float32' }, null, 2)}\n`),
    'model.safetensors': writeSafetensors(tensors, { format: 'pt' }),
  };
}

const utf8 = (text: string) => new TextEncoder().encode(text) as Uint8Array<ArrayBuffer>;

/** How each weight is used: looked up first, as its own name stands for that. */
function usesOf({ encoder = [], steps }: Plan): Map<string, Uses[]> {
  const found = new Map<string, Uses[]>();
  const parts =
    encoder.length > 0
      ? ([
          ['encoder', encoder],
          ['decoder', steps],
        ] as const)
      : ([['', steps]] as const);
  for (const [part, list] of parts) {
    for (const step of list) {
      for (const name of stepWeights(step)) {
        const lookups = part ? (`lookups of the ${part}` as const) : 'lookups';
        const uses = step.op === 'embed' ? lookups : 'layers';
        const known = found.get(name) ?? [];
        if (!known.includes(uses)) found.set(name, uses === 'layers' ? [...known, uses] : [uses, ...known]);
      }
    }
  }
  return found;
}

/** A weight's values, or of a computed one those of each tensor that it is made from. */
async function wholeOf(
  checkpoint: Checkpoint<BaseConfig>,
  spec: WeightSpec,
  signal?: AbortSignal,
): Promise<Float32Array[]> {
  const wanted: WeightSpec[] = spec.computed
    ? spec.computed.from.map(({ name, shape }) => {
        const columns = shape.reduce((a, b) => a * b, 1);
        return { name, kind: 'vector', rows: 1, columns, storedShape: shape, storedTransposed: false };
      })
    : [spec];
  const all: Float32Array[] = [];
  for (const one of wanted) {
    const whole = new Float32Array(one.kind === 'vector' ? one.columns : one.rows * one.columns);
    let at = 0;
    for await (const piece of checkpoint.read(one, signal)) {
      whole.set(piece, at);
      at += piece.length;
    }
    all.push(whole);
  }
  return all;
}

/** A weight as it is in one of its uses. */
function changed(
  spec: WeightSpec,
  base: Float32Array,
  uses: Uses,
  { replaced, layers, tables }: Changes,
): Float32Array {
  const covers = (of: Uses) => of === 'all' || of === uses || (of === 'lookups' && uses.startsWith('lookups'));
  const own = replaced.find((one) => one.name === spec.name && covers(one.uses));
  const values = (own?.values ?? base).slice();
  const { columns, order } = spec;
  if (uses === 'layers') {
    let first = 0;
    for (const { name, length } of piecesOf(spec)) {
      const product = layers.get(name);
      const start = first;
      if (product) addProduct(values, product, columns, start, length, (i) => (order ? order(start + i) - start : i));
      first += length;
    }
    return values;
  }
  for (const { a, b, rank } of tables.filter((one) => one.name === spec.name && covers(one.uses))) {
    for (let word = 0; word < spec.rows; word++) {
      for (let i = 0; i < columns; i++) {
        for (let r = 0; r < rank; r++) values[word * columns + i]! += b[i * rank + r]! * a[r * spec.rows + word]!;
      }
    }
  }
  return values;
}

function addProduct(
  values: Float32Array,
  { a, b, rank }: Product,
  columns: number,
  first: number,
  rows: number,
  stored: (i: number) => number,
): void {
  for (let i = 0; i < rows; i++) {
    const from = stored(i) * rank;
    for (let r = 0; r < rank; r++) {
      const factor = b[from + r]!;
      for (let c = 0; c < columns; c++) values[(first + i) * columns + c]! += factor * a[r * columns + c]!;
    }
  }
}

/** The parts of a weight under their names in the file, as it stores them. */
function put(
  tensors: Map<string, AdapterTensor>,
  spec: WeightSpec,
  parts: readonly StoredPart[],
  values: Float32Array,
): void {
  const width = spec.kind === 'vector' ? 1 : spec.columns;
  let at = 0;
  for (const { name, shape, isTransposed, order } of parts) {
    const size = shape.reduce((a, b) => a * b, 1);
    let own = values.slice(at, at + size);
    at += size;
    if (order) {
      const ordered = new Float32Array(size);
      for (let i = 0; i * width < size; i++) ordered.set(own.subarray(i * width, (i + 1) * width), order(i) * width);
      own = ordered;
    }
    // [out, in] as [in, out]
    if (isTransposed) own = transposeRows(own, width, 0, new Float32Array(size), size / width);
    tensors.set(name, { data: own, shape });
  }
}
