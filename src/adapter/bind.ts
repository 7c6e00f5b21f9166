import { inOrder, transposeRows } from '../load/values.ts';

import type { Changes, Product, Uses } from '../plan/adapt.ts';
import { badCheckpoint, badOption, type VitrineError } from '../plan/error.ts';
import { joined, type StoredShape } from '../plan/plan.ts';
import type { Adapter } from './adapter.ts';
import { type Base, BaseNames, type Place } from './names.ts';
import type { LowRank, Replaced } from './parts.ts';
import { isTarget } from './target.ts';

/** What reads of the base's own values. */
export interface BaseValues {
  /** A weight or a part of one, by its name in the plan: [rows, columns]. */
  weight(name: string): Promise<Float32Array>;
  /** A tensor of the checkpoint that a weight is computed from. */
  stored(tensor: StoredShape): Promise<Float32Array>;
}

/** An adapter with a factor of what it adds. */
export type Weighted = readonly [adapter: Adapter, factor: number];

type Table = Changes['tables'][number];
type Given = { place: Place; from: Weighted; values: Float32Array };

/**
 * What adapters change in a base.
 * @throws VitrineError `bad-checkpoint` where one is for another base, `bad-option` where two replace the same tensor
 */
export async function changesOf(adapters: readonly Weighted[], base: Base, values: BaseValues): Promise<Changes> {
  const names = new BaseNames(base);
  const layers = new Map<string, Product>();
  const tables = new Map<string, Table>();
  const given = new Map<string, Given>();
  for (const weighted of adapters) {
    const [adapter, factor] = weighted;
    const { lowRank, replaced } = adapter.parts((module) => names.isLinear(module), base.config);
    checkWhole(adapter, lowRank, names, base.config.nLayer);
    for (const one of lowRank) {
      const place = placeOf(names, adapter, one, base);
      if (place === undefined) continue;
      const product = { a: one.a, b: scaled(one, factor), rank: one.rank };
      if (names.isBias(place)) {
        // The table with the product in it takes its place.
        const known = given.get(`${place.part} ${place.uses}`)?.values;
        const table = known ?? (await values.stored({ name: place.part, shape: place.source! })).slice();
        given.set(`${place.part} ${place.uses}`, { place, from: weighted, values: plus(table, product) });
      } else if (!one.isEmbedding) layers.set(place.part, sumOf(layers.get(place.part), product));
      else {
        const key = `${place.part} ${place.uses}`;
        tables.set(key, { name: place.part, uses: place.uses, ...sumOf(tables.get(key), product) });
      }
    }
    for (const one of replaced) {
      const place = names.find(one.name);
      if (place === 'idle') continue;
      if (!place) throw another(adapter, `holds ${one.name}`, base);
      const key = `${place.part} ${place.uses}`;
      const other = given.get(key);
      // One tensor under two names: a bias that is tied.
      if (other?.from === weighted && other.values.every((value, i) => value === one.data[i])) continue;
      if (other) {
        const hint = 'Tensors that take the place of the base’s come from one adapter.';
        throw badOption(`Both ${other.from[0].name} and ${adapter.name} have a ${one.name} of their own.`, hint);
      }
      given.set(key, { place, from: weighted, values: ofBase(one, place, adapter, base) });
    }
  }
  const sources = new Map([...given.values()].map(({ place, values: own }) => [place.part, own]));
  const replaced = await wholes([...given.values()], base, values, sources);
  for (const [adapter] of adapters) adapter.settle(base.config);
  return { layers, tables: [...tables.values()], replaced, sources };
}

/**
 * Whether a base has all that an adapter adapts and replaces, in these shapes.
 * @throws VitrineError `bad-checkpoint` where it is for another base
 */
export function checkFit(adapter: Adapter, base: Base): void {
  const names = new BaseNames(base);
  const { lowRank, replaced } = adapter.parts((module) => names.isLinear(module), base.config);
  checkWhole(adapter, lowRank, names, base.config.nLayer);
  for (const one of lowRank) placeOf(names, adapter, one, base);
  for (const one of replaced) {
    const place = names.find(one.name);
    if (!place) throw another(adapter, `holds ${one.name}`, base);
    if (place !== 'idle') ofBase(one, place, adapter, base);
  }
}

function another(adapter: Adapter, does: string, { family }: Base): VitrineError {
  return badCheckpoint(`The adapter ${adapter.name} ${does}, which this ${family.title} has not.`, madeFor(adapter));
}

function madeFor({ config: { json } }: Adapter): string {
  const { base_model_name_or_path: of } = json;
  return typeof of === 'string' && of ? `It is made for ${of}.` : 'It is made for another model.';
}

function placeOf(names: BaseNames, adapter: Adapter, one: LowRank, base: Base): Place | undefined {
  const place = names.find(`${one.module}.weight`);
  if (place === 'idle') return undefined;
  const fits = place && (one.isEmbedding ? names.isTable(place) || names.isBias(place) : names.isLayer(place));
  if (!fits) throw another(adapter, `adapts the ${one.isEmbedding ? 'table' : 'layer'} ${one.module}`, base);
  const [rows, columns] = names.isBias(place) ? (place.source as [number, number]) : [place.length, place.spec.columns];
  const [inputs, outputs] = one.isEmbedding ? [rows, columns] : [columns, rows];
  if (one.inputs === inputs && one.outputs === outputs) return place;
  const found = `The adapter ${adapter.name} adapts ${one.module} from ${one.inputs} to ${one.outputs}`;
  throw badCheckpoint(`${found}; in this model it is from ${inputs} to ${outputs}.`, madeFor(adapter));
}

/** b with the scale in it. */
function scaled({ b, scale }: LowRank, factor: number): Float32Array {
  return b.map((value) => value * scale * factor);
}

/** A table [words, width] with a product of its rows in it. */
function plus(table: Float32Array, { a, b, rank }: Product): Float32Array {
  const [words, width] = [a.length / rank, b.length / rank];
  for (let at = 0; at < table.length; at++) {
    const [word, i] = [Math.floor(at / width), at % width];
    for (let r = 0; r < rank; r++) table[at]! += b[i * rank + r]! * a[r * words + word]!;
  }
  return table;
}

/** The sum of two products as one, of the sum of their ranks. */
function sumOf(one: Product | undefined, other: Product): Product {
  if (!one) return other;
  const rank = one.rank + other.rank;
  const a = joined([one.a, other.a]);
  const b = new Float32Array(one.b.length + other.b.length);
  for (let row = 0; row * rank < b.length; row++) {
    b.set(one.b.subarray(row * one.rank, (row + 1) * one.rank), row * rank);
    b.set(other.b.subarray(row * other.rank, (row + 1) * other.rank), row * rank + one.rank);
  }
  return { a, b, rank };
}

/** A module that is adapted in one block is so in all that the config names, and each name of the config is that of some module. */
function checkWhole({ config, name }: Adapter, lowRank: readonly LowRank[], names: BaseNames, nLayer: number): void {
  const modules = new Set(lowRank.map(({ module }) => module));
  for (const module of modules) {
    for (let layer = 0; layer < nLayer; layer++) {
      const other = module.replace(/\.\d+\./, `.${layer}.`);
      if (modules.has(other) || !isTarget(config, other, names.isLinear(other)) || !names.find(`${other}.weight`))
        continue;
      throw badCheckpoint(`The adapter ${name} lacks ${other}, which its target_modules name.`, 'Save it again.');
    }
  }
}

/** A tensor's values in the rows and the order that the plan keeps. */
function ofBase(
  { name, data, shape }: Replaced,
  { spec, length, source }: Place,
  adapter: Adapter,
  base: Base,
): Float32Array {
  const { kind, columns, storedTransposed, storedShape } = spec;
  const isVector = kind === 'vector';
  const stored =
    source ?? storedShape ?? (isVector ? [length] : storedTransposed ? [columns, length] : [length, columns]);
  if (shape.join() !== stored.join()) {
    throw another(adapter, `holds ${name} of shape [${shape}] in place of [${stored}]`, base);
  }
  if (source || isVector || !storedTransposed) return data;
  return transposeRows(data, length, 0, new Float32Array(data.length), columns);
}

/** The weights to be replaced, whole: what an adapter has not of one is the base's. */
async function wholes(
  given: readonly Given[],
  { plan }: Base,
  values: BaseValues,
  byPart: ReadonlyMap<string, Float32Array>,
): Promise<Changes['replaced']> {
  const replaced = new Map<string, { name: string; uses: Uses; values: Float32Array }>();
  for (const { place, values: own } of given) {
    if (place.source) continue;
    const { spec, uses, first } = place;
    const key = `${spec.name} ${uses}`;
    const width = spec.kind === 'vector' ? 1 : spec.columns;
    const size = (spec.kind === 'vector' ? 1 : spec.rows) * spec.columns;
    const known = replaced.get(key)?.values;
    const whole = known ?? (own.length === size ? new Float32Array(size) : await baseOf(place, values));
    whole.set(spec.order ? inOrder(own, width, spec.order) : own, first * width);
    replaced.set(key, { name: spec.name, uses, values: whole });
  }
  for (const { name, computed } of plan.weights) {
    if (!computed?.from.some((tensor) => byPart.has(tensor.name))) continue;
    const own = computed.from.map(async (tensor) => byPart.get(tensor.name) ?? values.stored(tensor));
    const stored = await Promise.all(own);
    replaced.set(name, { name, uses: 'all', values: computed.values(...stored) });
  }
  return [...replaced.values()];
}

async function baseOf({ spec }: Place, values: BaseValues): Promise<Float32Array> {
  const parts: Float32Array[] = [];
  for (const { name } of spec.parts!) parts.push(await values.weight(name));
  return joined(parts);
}
