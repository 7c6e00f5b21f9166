import type { Source } from '../../src/index.ts';
import type { DeviceCounts } from '../counting-device.ts';
import type { Plan, Times } from '../measure.mjs';
import type { Shape } from './seeded-model.ts';
import type { VariantTimes } from './variants.ts';

export const formats = ['f32', 'f16', 'q8', 'q4'] as const;
export type Format = (typeof formats)[number];

/** What the page asks of the worker. */
export interface Job {
  /** A model, or the shape of one to be made up. */
  model: Source | Shape;
  formats: Format[];
  /** Of the made-up model every variant of its kernels is timed too, where there is a GPU; a model's own shape is not known here. */
  variants: boolean;
  plan: Plan;
}

/** A line of the table. */
export interface Measured extends Times {
  name: string;
  adapter: 'vitrine';
  device: 'webgpu' | 'wasm';
  weights: Format;
  threads: number;
  bytes: number;
  /** For each token; only on WebGPU. */
  counts?: DeviceCounts;
  copyBytesPerSecond?: number;
}

export interface Machine {
  adapter: string;
  /** The GPU is done in software: the figures say what the CPU does. */
  software: boolean;
  browser: string;
  cores: number;
  date: string;
}

export type Message =
  | { kind: 'machine'; machine: Machine }
  | { kind: 'progress'; text: string }
  | { kind: 'row'; row: Measured }
  | { kind: 'variant'; variant: VariantTimes }
  | { kind: 'failed'; text: string }
  | { kind: 'done' };
