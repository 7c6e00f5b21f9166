import type { StoredPart } from '../load/checkpoint.ts';
import type { Plan, WeightSpec } from '../plan/plan.ts';
import type { Engine } from '../run/engine.ts';
import type { Tensor } from '../run/loaded.ts';

/** A stored tensor, and the weights of the plan that are made of it. */
export interface StoredWeight {
  name: string;
  planName: string;
  shape: readonly number[];
  of: { weight: WeightSpec; part: StoredPart; index: number }[];
}

/** The tensors of a model's files by which its weights can be learnt: all but those of tables that nothing is computed back from. */
export function storedWeights(engine: Engine, plan: Plan = engine.plan): Map<string, StoredWeight> {
  const found = new Map<string, StoredWeight>();
  for (const weight of plan.weights) {
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
  const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
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
  if (isVector) return order ? permuted(own, 1, order) : own;
  if (order) return permuted(own, columns, order);
  if (!isTransposed) return own;
  const turned = new Float32Array(own.length);
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) turned[c * rows + r] = own[r * columns + c]!;
  return turned;
}

function permuted(values: Float32Array, width: number, order: (i: number) => number): Float32Array {
  const stored = new Float32Array(values.length);
  for (let i = 0; i * width < values.length; i++) {
    stored.set(values.subarray(i * width, (i + 1) * width), order(i) * width);
  }
  return stored;
}
