import type { Backend } from '../plan/backend.ts';
import { type KvFormat, keyBytes, tokenBytes } from '../plan/kv.ts';
import type { Plan } from '../plan/plan.ts';

/** How many tokens a text may have, and why they are fewer than was wanted; else `''`. */
export interface Fitting {
  context: number;
  reason: string;
}

/** What keys and values are put into. */
interface Room {
  /** Bytes of the model's weights. */
  weights: number;
  /** Bytes that the backend has for those of a layer, and of all; infinite where it has no such limit. */
  most: { each: number; all: number };
  /** Bytes of the machine's memory, infinite where it is not known. */
  machine: number;
}

/** The longest text whose keys and values have room: beside the weights half of the machine's memory is theirs, an eighth at least. */
export function fittingContext(plan: Plan, kv: KvFormat, wanted: number, { weights, most, machine }: Room): Fitting {
  const kept = [...plan.sources.values()].filter(({ axis }) => axis !== 'rows');
  const perLayer = Math.max(0, ...kept.map(({ nHead, headDim }) => 2 * nHead * keyBytes(kv, headDim)));
  const limits = [
    { each: perLayer, room: most.each, of: 'of a layer ' },
    { each: tokenBytes(plan, kv), room: most.all, of: '' },
    { each: tokenBytes(plan, kv), room: Math.max(machine / 2 - weights, machine / 8), of: '' },
  ];
  let found: Fitting = { context: wanted, reason: '' };
  for (const { each, room, of } of limits) {
    const fit = Math.floor(room / each);
    if (!(fit < found.context)) continue;
    const context = Math.max(1, fit > 64 ? fit - (fit % 64) : fit);
    const takes = `keys and values ${of}of ${wanted} would take ${gigabytes(wanted * each)} of the ${gigabytes(room)}`;
    found = { context, reason: `a text has at most ${context} tokens, since ${takes} that there are for them` };
  }
  return found;
}

export const gigabytes = (bytes: number): string => `${(bytes / 2 ** 30).toPrecision(2)} GB`;

/** As browsers tell it, rounded and with an upper end, in secure contexts; unknown elsewhere. */
export function memoryOfMachine(): number {
  const { deviceMemory } = (globalThis.navigator ?? {}) as { deviceMemory?: number };
  return deviceMemory ? deviceMemory * 2 ** 30 : Number.POSITIVE_INFINITY;
}

/**
 * How keys and values are kept where it is not asked for: as halves on WebGPU, where they are read faster so, beside weights in
 * eight or four bits, whose rounding costs a hundred times as much (docs/quantisation.md); elsewhere as they are.
 */
export function usualKv(kind: Backend['kind'], dtype: string, { sources }: Plan): KvFormat {
  const kept = [...sources.values()];
  const isQuantised = dtype === 'q8' || dtype === 'q4';
  const isWriter = kept.some(({ axis }) => axis === 'context');
  return kind === 'webgpu' && isQuantised && isWriter && kept.every(({ headDim }) => headDim % 4 === 0) ? 'f16' : 'f32';
}
