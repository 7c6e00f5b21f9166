import { type AdjointRun, adjoint } from '../cpu/adjoint.ts';
import type { KeyCache } from '../cpu/attention.ts';
import type { CpuWeight } from '../cpu/weights.ts';
import { type Adjoint, adjointOutputs } from '../plan/adjoint.ts';
import { VitrineError } from '../plan/error.ts';
import { BLOCK, strideOf } from '../plan/formats.ts';
import { placesOf } from '../plan/rows.ts';
import type { SourceMemory } from './lower.ts';
import type { WasmMemory } from './memory.ts';
import type { WasmWeight } from './weights.ts';

/** Where a gradient's step finds what it works on in memory. */
export interface AdjointMemory extends Pick<AdjointRun, 'plan' | 'batch' | 'sizes'> {
  memory: WasmMemory;
  /** Positions of a slot. */
  context: number;
  /** A tensor in its spec's shape: a copy. */
  read(name: string): Float32Array;
  write(name: string, values: Float32Array): void;
  weight(name: string): WasmWeight;
  source(name: string): SourceMemory;
  /** The gradients of sources, which no kernel reads. */
  gradients: Map<string, KeyCache>;
}

/** A step of a gradient, by the reference in JavaScript on copies of what it reads. */
export function performAdjoint(step: Adjoint, at: AdjointMemory): void {
  const tensors = new Map<string, Float32Array>();
  const tensor = (name: string) => {
    const values = tensors.get(name) ?? at.read(name);
    tensors.set(name, values);
    return values;
  };
  if (step.of === 'keys' && !at.gradients.has(step.into)) {
    const { nHead, headDim, places } = at.source(step.source);
    const [k, v] = [new Float32Array(places * nHead * headDim), new Float32Array(places * nHead * headDim)];
    at.gradients.set(step.into, { nHead, headDim, k, v });
  }
  adjoint(step, {
    ...{ plan: at.plan, batch: at.batch, sizes: at.sizes, tensor },
    weight: (name) => weightAt(at.memory, at.weight(name)),
    cache: (name) => at.gradients.get(name) ?? keysOf(at.memory, at.source(name)),
    places: (name) => at.batch.rows.map((row) => placesOf(row, at.plan.sources.get(name)!, at.context)),
  });
  for (const name of adjointOutputs(step)) at.write(name, tensor(name));
}

function weightAt(memory: WasmMemory, { spec, format, values, scales, bytes }: WasmWeight): CpuWeight {
  const stride = strideOf(spec.columns);
  const count = spec.rows * stride;
  const { buffer } = memory.memory;
  const viewed = {
    f32: () => new Float32Array(buffer, values, count),
    bf16: () => new Uint16Array(buffer, values, count),
    f16: () => new Uint16Array(buffer, values, count),
    q8: () => new Int8Array(buffer, values, count),
    q4: () => new Uint8Array(buffer, values, count / 2),
  }[format]();
  const packed = { values: viewed, ...(scales && { scales: new Uint16Array(buffer, scales, count / BLOCK) }) };
  return { spec, format, stride, packed, bytes };
}

/** Keys and values of a source [nHead, places, headDim padded] as the reference has them, [places, nHead, headDim]. */
function keysOf(memory: WasmMemory, { nHead, headDim, places, keys, values, kv }: SourceMemory): KeyCache {
  if (kv !== 'f32')
    throw new VitrineError('bad-option', `A gradient needs keys and values in f32, and they are in ${kv}.`);
  const padded = Math.ceil(headDim / 4) * 4;
  const [k, v] = [keys, values].map((address) => {
    const kept = memory.floats(address, nHead * places * padded);
    const all = new Float32Array(places * nHead * headDim);
    for (let head = 0; head < nHead; head++) {
      for (let place = 0; place < places; place++) {
        const from = (head * places + place) * padded;
        all.set(kept.subarray(from, from + headDim), (place * nHead + head) * headDim);
      }
    }
    return all;
  });
  return { nHead, headDim, k: k!, v: v! };
}
