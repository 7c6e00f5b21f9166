import { badOption } from '../plan/error.ts';
import type { HeadForm } from '../plan/plan.ts';

/** What a set of examples gives. */
export interface Evaluation {
  loss: number;
  /** The share of examples whose class is right, where examples have classes. */
  accuracy?: number;
  /** The class that each example is given, in their order. */
  predicted?: readonly number[];
}

/** A run as far as it came: plain data, which can be kept and sent. */
export interface Checkpoint {
  /** Steps that were taken. */
  step: number;
  tokens: number;
  /** Of the last step, and what was judged last. */
  loss: number;
  evaluation: Evaluation | undefined;
  method: 'head' | 'lora' | 'full';
  /** What a head that was made tells. */
  head: HeadForm | undefined;
  /** adapter_config.json; of a whole model nothing. */
  config: Readonly<Record<string, unknown>>;
  params: { name: string; shape: readonly number[]; values: Float32Array; first: Float32Array; second: Float32Array }[];
  /** The smallest loss of an evaluation, and how many have not been smaller since. */
  best: number;
  waited: number;
}

export const notBegun = () => badOption('The run has not begun; expected at least one step.');
