import { activate } from '../plan/activate.ts';
import type { Activation } from '../plan/plan.ts';

export function activation(kind: Activation, x: Float32Array, output: Float32Array): void {
  const f = activate[kind];
  for (let i = 0; i < output.length; i++) output[i] = f(x[i]!);
}
