import type { StoredPart } from '../load/checkpoint.ts';
import { outOfOrder, transposeRows } from '../load/values.ts';
import { asVector, product, type WeightSpec } from '../plan/plan.ts';
import type { Engine } from '../run/engine.ts';
import type { Tensor } from '../run/loaded.ts';
import { weight } from '../run/weight.ts';

/** A stored tensor, and the weights of the plan that are made of it. */
export interface StoredWeight {
  name: string;
  planName: string;
  shape: readonly number[];
  of: { weight: WeightSpec; part: StoredPart; index: number }[];
}

/** The tensors of a model's files by which its weights can be learnt: all but those of tables that nothing is computed back from. */
export function storedWeights(engine: Engine): Map<string, StoredWeight> {
  const found = new Map<string, StoredWeight>();
  for (const weight of engine.base.weights) {
    if (weight.isBuffer || (weight.computed && !weight.computed.adjoint)) continue;
    for (const [index, part] of engine.partsOf(weight).entries()) {
      const { name, planName, shape } = part;
      const stored = found.get(name) ?? { name, planName, shape, of: [] };
      stored.of.push({ weight, part, index });
      found.set(name, stored);
    }
  }
  return found;
}

/**
 * The gradient of a stored tensor, from those of the weights that are made of it.
 * @param gradients by the plan's weight, [rows, columns] each; a weight that is not there has none
 */
export function storedGradient(
  { shape, of }: StoredWeight,
  gradients: ReadonlyMap<string, Float32Array>,
): Tensor | undefined {
  const data = new Float32Array(product(shape));
  let has = false;
  for (const { weight, part, index } of of) {
    const gradient = gradients.get(weight.name);
    if (!gradient) continue;
    has = true;
    const own = weight.computed ? weight.computed.adjoint!(gradient)[index]! : asStored(weight, part, index, gradient);
    for (let i = 0; i < data.length; i++) data[i]! += own[i]!;
  }
  return has ? { data, shape: [...shape] } : undefined;
}

/** A part of a weight's values, in the order in which its tensor has them. */
function asStored(
  weight: WeightSpec,
  { rows, columns, isTransposed, order }: StoredPart,
  index: number,
  values: Float32Array,
) {
  const isVector = weight.kind === 'vector';
  const first = (weight.parts ?? []).slice(0, index).reduce((sum, { length }) => sum + length, 0);
  const start = isVector ? first : first * columns;
  const own = values.subarray(start, start + rows * columns);
  if (order) return outOfOrder(own, isVector ? 1 : columns, order);
  return isTransposed && !isVector ? transposeRows(own, columns, 0, new Float32Array(own.length), rows) : own;
}

/** The values of a stored tensor as the base has them, in its own layout. */
export async function readStored(engine: Engine, { name, shape, of }: StoredWeight): Promise<Float32Array> {
  const plain = of.find(({ weight: spec }) => !spec.computed);
  if (plain) {
    const { weight: spec, part, index } = plain;
    const { data } = await weight(engine, part.planName, {}, engine.base);
    if (spec.order && spec.kind === 'matrix') return data; // its rows come as the file has them
    return asStored({ ...spec, parts: [] }, part, index, data).slice();
  }
  const tensor = asVector({ name: of[0]!.part.planName, shape });
  try {
    for await (const values of engine.checkpoint!.read(tensor)) return values.slice();
    throw new Error(`${name} has no values.`);
  } finally {
    engine.checkpoint!.close();
  }
}

/** Puts a stored tensor's values where the plan's weight has them: what `storedGradient` takes out. */
export function asPlan(
  weight: WeightSpec,
  { rows, columns, isTransposed, order }: StoredPart,
  index: number,
  stored: Float32Array,
  values: Float32Array,
): void {
  const isVector = weight.kind === 'vector';
  const first = (weight.parts ?? []).slice(0, index).reduce((sum, { length }) => sum + length, 0);
  const width = isVector ? 1 : columns;
  const count = isVector ? columns : rows;
  for (let row = 0; row < count; row++) {
    const to = (first + row) * width;
    if (order) values.set(stored.subarray(order(row) * width, (order(row) + 1) * width), to);
    else if (isTransposed && !isVector) for (let c = 0; c < width; c++) values[to + c] = stored[c * rows + row]!;
    else values.set(stored.subarray(row * width, (row + 1) * width), to);
  }
}
