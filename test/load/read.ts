import { expect } from 'vitest';
import type { Checkpoint } from '../../src/load/checkpoint.ts';
import { Changed } from '../../src/load/versions.ts';

/** All weights of a checkpoint's plan by name, [rows, columns], read in the order that `check` gives. */
export async function readAll(checkpoint: Checkpoint, signal?: AbortSignal): Promise<Map<string, Float32Array>> {
  const weights = new Map<string, Float32Array>();
  try {
    for (const weight of checkpoint.check(checkpoint.family.plan(checkpoint.config).weights)) {
      const whole = new Float32Array(weight.rows * weight.columns);
      let filled = 0;
      for await (const piece of checkpoint.read(weight, signal)) {
        whole.set(piece, filled);
        filled += piece.length;
      }
      if (filled !== whole.length) throw new Error(`${weight.name}: ${filled} of ${whole.length} values`);
      weights.set(weight.name, whole);
    }
    await checkpoint.verify?.();
    return weights;
  } finally {
    checkpoint.close();
  }
}

/** As loads do: what turns out to be another file than was read is read again. */
export async function readAnew(
  open: () => Promise<Checkpoint>,
  signal?: AbortSignal,
): Promise<Map<string, Float32Array>> {
  for (let again = 0; ; again++) {
    try {
      return await readAll(await open(), signal);
    } catch (error) {
      if (!(error instanceof Changed) || again === 2) throw error;
    }
  }
}

/** Fails with the first weight and index where two checkpoints differ. */
export function expectSame(
  found: ReadonlyMap<string, Float32Array>,
  expected: ReadonlyMap<string, Float32Array>,
): void {
  expect([...found.keys()].sort()).toEqual([...expected.keys()].sort());
  for (const [name, values] of expected) {
    const other = found.get(name)!;
    const index = other.length === values.length ? values.findIndex((value, i) => !Object.is(value, other[i])) : 0;
    if (index >= 0) throw new Error(`${name}[${index}] is ${other[index]}, expected ${values[index]}`);
  }
}
