import type { Checkpoint, StoredPart } from '../load/checkpoint.ts';
import { parseJson } from '../load/files.ts';
import { outOfOrder, transposeRows } from '../load/values.ts';
import type { BaseConfig } from '../model/family.ts';
import type { Changes, Product, Uses } from '../plan/adapt.ts';
import { badOption } from '../plan/error.ts';
import { asVector, type Plan, piecesOf, product, stepWeights, type WeightSpec } from '../plan/plan.ts';
import { folderTexts } from './folder.ts';
import type { AdapterTensor } from './parts.ts';
import { utf8, writeSafetensors } from './write.ts';

type Files = Record<string, Uint8Array<ArrayBuffer>>;

/** The files of a whole model, float32: the base's with an adapter's changes in them. */
export async function merged(
  checkpoint: Checkpoint<BaseConfig>,
  plan: Plan,
  changes: Changes,
  signal?: AbortSignal,
): Promise<Files> {
  const texts = await folderTexts(checkpoint, signal);
  const config = texts.get('config.json');
  if (config === undefined || !checkpoint.partsOf) {
    const hint = 'Load the base from its safetensors, or use llama-export-lora.';
    throw badOption(`${checkpoint.name} is a GGUF file, and merge writes safetensors.`, hint);
  }
  const json = parseJson(config, 'config.json') as Record<string, unknown>;
  const tensors = new Map<string, AdapterTensor>();
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
          const hint = 'No file of this family can hold that: keep the adapter beside its base.';
          throw badOption(`${spec.name} is used in two ways, which the adapter changes apart.`, hint);
        }
        tensors.set(tie.at(-1)!, { data: own, shape: parts[0]!.shape });
        json.tie_word_embeddings = false;
      }
    }
    await checkpoint.verify?.();
  } finally {
    checkpoint.close();
  }
  const { torch_dtype: _, ...rest } = json;
  return {
    ...Object.fromEntries([...texts].map(([name, text]) => [name, utf8(text)])),
    'config.json': utf8(`${JSON.stringify({ ...rest, dtype: 'float32' }, null, 2)}\n`),
    'model.safetensors': writeSafetensors(tensors, { format: 'pt' }),
  };
}

/** How each weight is used: looked up first, as its own name stands for that. */
function usesOf({ encoder = [], steps }: Plan): Map<string, Uses[]> {
  const found = new Map<string, Uses[]>();
  const lists = { encoder, decoder: steps };
  for (const part of ['encoder', 'decoder'] as const) {
    const lookups: Uses = encoder.length > 0 ? `lookups of the ${part}` : 'lookups';
    for (const step of lists[part]) {
      for (const name of stepWeights(step)) {
        const uses = step.op === 'embed' ? lookups : 'layers';
        const known = found.get(name) ?? [];
        if (!known.includes(uses)) found.set(name, uses === 'layers' ? [...known, uses] : [uses, ...known]);
      }
    }
  }
  return found;
}

/** A weight's values, or of a computed one those of each tensor that it is made from. */
async function wholeOf(checkpoint: Checkpoint<BaseConfig>, spec: WeightSpec, signal?: AbortSignal) {
  const all: Float32Array[] = [];
  for (const one of spec.computed?.from.map(asVector) ?? [spec]) {
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
function changed(spec: WeightSpec, base: Float32Array, uses: Uses, { replaced, layers, tables }: Changes) {
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
) {
  const width = spec.kind === 'vector' ? 1 : spec.columns;
  let at = 0;
  for (const { name, shape, isTransposed, order } of parts) {
    const size = product(shape);
    let own = values.slice(at, at + size);
    at += size;
    if (order) own = outOfOrder(own, width, order);
    // [out, in] as [in, out]
    if (isTransposed) own = transposeRows(own, width, 0, new Float32Array(size), size / width);
    tensors.set(name, { data: own, shape });
  }
}
