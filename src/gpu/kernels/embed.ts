import type { EmbedTable, StepOf } from '../../plan/plan.ts';
import { ceilDiv, flag, type Kernel, weightFiles } from '../kernel.ts';
import type { Place } from '../place.ts';
import type { GpuWeight, WeightPart } from '../weights.ts';

/** A table with its weight on the device. */
type GpuEmbedTable = Omit<EmbedTable, 'weight'> & { weight: GpuWeight };

const numbers = { token: 0, position: 1, segment: 2, none: 3 } as const;
/** Tables of a dispatch. */
const MOST = 3;

/** The sum of the tables, three to a dispatch of which one may be of any format and in parts; one dispatch for each of these. */
export function embed(step: StepOf<'embed'>, to: Place): Kernel[] {
  const tables = step.tables.map((table) => ({ ...table, weight: to.weights.matrix(table.weight) }));
  const isPlain = ({ weight }: GpuEmbedTable) => weight.format === 'f32' && weight.parts.length === 1;
  const leads = tables.filter((table) => !isPlain(table));
  const plain = tables.filter(isPlain);
  const kernels: Kernel[] = [];
  while (leads.length + plain.length > 0) {
    const lead = leads.shift() ?? plain.shift()!;
    kernels.push(...sum([lead, ...plain.splice(0, MOST - 1)], step.output, kernels.length > 0, to));
  }
  return kernels;
}

function sum(tables: readonly GpuEmbedTable[], output: string, add: boolean, { batch, tensor }: Place): Kernel[] {
  const [{ weight }, second, third] = tables as [GpuEmbedTable, GpuEmbedTable?, GpuEmbedTable?];
  const lookups = [tables[0], second, third].map((table, i) => [
    [`BY_${i}`, numbers[table?.by ?? 'none']],
    [`FIRST_${i}`, table?.first ?? 0],
    [`SCALE_${i}`, table?.scale ?? 1],
  ]);
  const bound = (table: GpuEmbedTable | undefined, part: WeightPart) => (table?.weight.parts[0] ?? part).values;
  return weight.parts.map((part) => ({
    files: ['batch.wgsl', ...weightFiles(weight.format), 'embed.wgsl'],
    constants: {
      ...{ ROW_UNITS: weight.stride / 16, PART_FIRST: part.first, PART_ROWS: part.rows, ADD: flag(add) },
      ...Object.fromEntries(lookups.flat()),
    },
    bindings: {
      ...{ 0: batch, 1: part.values, 2: part.scales },
      ...{ 3: bound(second, part), 4: bound(third ?? second, part), 5: tensor(output).buffer },
    },
    workgroups: ({ rows }) => [ceilDiv(weight.stride / 16, 64), rows],
  }));
}
