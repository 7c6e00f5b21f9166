import type { Checkpoint, StoredAs } from '../load/checkpoint.ts';
import type { Backend, WeightFormat } from '../plan/backend.ts';
import { packedBytes } from '../plan/formats.ts';
import { type Plan, stepsOf, type WeightSpec } from '../plan/plan.ts';
import { gigabytes, memoryOfMachine } from './context.ts';

/** How each weight of a model is kept. */
export interface WeightFormats {
  of(weight: WeightSpec): WeightFormat;
  /** That of the matrices, where they do not differ by their type in the file. */
  dtype: WeightFormat;
  /** Bytes of all weights, and of the largest one. */
  bytes: number;
  largest: number;
  /** Why they are coarser than the file has them; else `''`. */
  reason: string;
}

const finestFirst = ['f32', 'bf16', 'f16', 'q8', 'q4'] as const satisfies WeightFormat[];

/**
 * The formats of `weights` on a backend: `dtype`, or for `auto` as the file has them, or the finest ones that fit in what the
 * backend can hold and in half of the machine's memory, where these are known.
 */
export function weightFormats(
  checkpoint: Pick<Checkpoint, 'storedAs' | 'storedAsOf'>,
  plan: Plan,
  weights: readonly WeightSpec[],
  dtype: 'auto' | WeightFormat,
  backend?: Pick<Backend, 'kind' | 'capacity'>,
): WeightFormats {
  const atBest = (finest: WeightFormat, reason: string): WeightFormats => {
    const kept = (stored: StoredAs) => (dtype === 'auto' ? coarser(nearest(stored, backend?.kind), finest) : dtype);
    const of = (weight: WeightSpec) => {
      const stored = checkpoint.storedAsOf(weight);
      return formatFor(weight, plan, kept(stored), stored);
    };
    const sizes = weights.map((weight) => packedBytes(of(weight), weight.rows, weight.columns));
    const bytes = sizes.reduce((sum, size) => sum + size, 0);
    return { of, dtype: kept(checkpoint.storedAs), bytes, largest: Math.max(...sizes), reason };
  };
  const whole = atBest('f32', '');
  const room = Math.min(backend?.capacity ?? Number.POSITIVE_INFINITY, memoryOfMachine() / 2);
  if (dtype !== 'auto' || whole.bytes <= room) return whole;
  const reason = `its weights as ${whole.dtype} would take ${gigabytes(whole.bytes)} of the ${gigabytes(room)} that there are for them`;
  const narrower = finestFirst.filter((format) => format !== 'bf16'); // f16 has as many bytes and finer steps
  const choices = narrower.map((finest) => atBest(finest, reason));
  return choices.find(({ bytes }) => bytes <= room) ?? choices.at(-1)!;
}

function coarser(a: WeightFormat, b: WeightFormat): WeightFormat {
  return finestFirst[Math.max(finestFirst.indexOf(a), finestFirst.indexOf(b))]!;
}

/** The format nearest to a file's own, on a kind of backend. */
function nearest(stored: StoredAs, kind: Backend['kind'] | undefined): WeightFormat {
  if (kind === 'cpu' && stored !== 'bf16') return 'f32'; // two bytes become a float by a shift
  return stored === 'other' ? 'q8' : stored;
}

/**
 * A weight's format where the matrices are `format`. Tables of positions, kinds and distances are small and stay exact. In q4 the
 * words, the output layer and what an activation is computed from have eight bits: they are worth their bytes (docs/quantisation.md).
 */
function formatFor({ name, kind }: WeightSpec, plan: Plan, format: WeightFormat, stored: StoredAs): WeightFormat {
  const steps = stepsOf(plan);
  const tables = steps.flatMap((step) => (step.op === 'embed' ? step.tables : []));
  const own = tables.filter(({ weight }) => weight === name);
  const isBias = steps.some(
    (step) => (step.op === 'attentionScores' && step.bias === name) || (step.op === 'rotate' && step.table === name),
  );
  if (kind === 'vector' || own.some(({ by }) => by !== 'token') || isBias) return 'f32';
  if (format !== 'q4' || stored === 'q4') return format;
  const isActivated = (tensor: string) => steps.some((step) => step.op === 'activation' && step.input === tensor);
  const outputs = steps.flatMap((step) => (step.op === 'linear' && step.weight === name ? step.outputs : []));
  const isFiner = own.length > 0 || outputs.some((tensor) => tensor === 'logits' || isActivated(tensor));
  return isFiner ? 'q8' : format;
}
