import type { Adapter } from '../adapter/adapter.ts';
import { expression } from '../adapter/config.ts';
import { type Check, checkOptions, integer, isSignal, listOf, number, oneOf, refuse } from '../run/check.ts';
import type { Checkpoint } from './checkpoint.ts';
import type { Example } from './examples.ts';
import type { OptimiserOptions } from './optimiser.ts';

export interface TrainOptions extends Partial<OptimiserOptions> {
  /** What is learnt: low-rank products of layers (the default), a head alone on frozen features, or all weights. */
  method?: 'head' | 'lora' | 'full';
  /**
   * Names of classes: makes a head, in place of the model's own where that tells others. Where a model has none, or `method` is `head`,
   * those of the examples by default, in order of their first.
   */
  labels?: readonly string[];
  /** Of LoRA: the rank, 8 by default, alpha (16), and whether the scale is alpha / sqrt(rank). What is resumed has its own. */
  rank?: number;
  alpha?: number;
  rslora?: boolean;
  /** Of LoRA: ends of module names, a pattern, or `all-linear`; all linear layers of the blocks by default. */
  targets?: readonly string[] | string;
  /** Examples of a step, 8 by default; or tokens at most. */
  batchSize?: number;
  batchTokens?: number;
  /** Batches whose gradients make a step together. */
  accumulate?: number;
  /** How long: times through all examples (3 by default), or steps. */
  epochs?: number;
  steps?: number;
  shuffle?: boolean;
  seed?: number;
  /** What is evaluated after each epoch: examples, or the share of them that is kept for it. */
  evaluate?: readonly Example[] | number;
  /** Ends after so many evaluations without a smaller loss. */
  patience?: number;
  /** Goes on from an adapter, or exactly where a run was when it gave its checkpoint. */
  resume?: Adapter | Checkpoint;
  /**
   * Of LoRA and of all weights: blocks are made again on the way back, which takes a third more time and far less memory; by default where
   * it is much. A head alone has no way back, as its features are made once.
   */
  recompute?: boolean;
  /** Cuts examples that are too long, which else are refused. */
  truncation?: boolean;
  signal?: AbortSignal;
}

/** Whether a pattern of module names can be read. */
function isPattern(text: string): boolean {
  try {
    return Boolean(text && expression(text, 'targets'));
  } catch {
    return false;
  }
}

const fraction = number(0, 1, 'above');
const checks: Record<keyof TrainOptions, Check> = {
  method: oneOf('head', 'lora', 'full'),
  labels: {
    expects: 'a list of different names, two or more',
    accepts: (value) =>
      Array.isArray(value) &&
      value.length > 1 &&
      new Set(value).size === value.length &&
      value.every((one) => typeof one === 'string'),
  },
  rank: integer(1, 1 << 14),
  alpha: number(0, Number.MAX_VALUE, 'above'),
  rslora: oneOf(true, false),
  targets: {
    expects: 'a list of module names, a pattern, or "all-linear"',
    accepts: (value) =>
      (typeof value === 'string' && isPattern(value)) ||
      (Array.isArray(value) && value.length > 0 && value.every((one) => typeof one === 'string' && one !== '')),
  },
  learningRate: number(0, Number.MAX_VALUE, 'above'),
  schedule: oneOf('linear', 'cosine', 'constant'),
  warmupSteps: integer(0),
  weightDecay: number(0),
  betas: {
    expects: 'two numbers from 0 and below 1',
    accepts: (value) =>
      Array.isArray(value) &&
      value.length === 2 &&
      value.every((one) => typeof one === 'number' && one >= 0 && one < 1),
  },
  epsilon: number(0, Number.MAX_VALUE, 'above'),
  maxGradNorm: { expects: 'a number above 0', accepts: (value) => typeof value === 'number' && value > 0 },
  batchSize: integer(1),
  batchTokens: integer(1),
  accumulate: integer(1),
  epochs: integer(1),
  steps: integer(1),
  shuffle: oneOf(true, false),
  seed: integer(0),
  evaluate: {
    expects: 'a list of examples, or a share of them below 1',
    accepts: (value) => Array.isArray(value) || (fraction.accepts(value) && value !== 1),
  },
  patience: integer(1),
  resume: {
    expects: 'an adapter, or what checkpoint() gave',
    accepts: (value) => typeof value === 'object' && value !== null,
  },
  recompute: oneOf(true, false),
  truncation: oneOf(true, false),
  signal: isSignal,
};

/** Rates that suit a method. */
const rates = { head: 1e-2, lora: 1e-3, full: 5e-5 };

export type Settings = TrainOptions &
  OptimiserOptions &
  Required<Pick<TrainOptions, 'method' | 'batchSize' | 'accumulate' | 'epochs' | 'shuffle' | 'seed' | 'truncation'>>;

/** @throws VitrineError `bad-option` */
export function readTrainOptions(options: TrainOptions): Settings {
  checkOptions('train', options, checks);
  const { method = 'lora', batchSize, batchTokens, epochs, steps, patience, evaluate, recompute } = options;
  if (batchSize !== undefined && batchTokens !== undefined)
    throw refuse('batchTokens', batchTokens, 'this or batchSize');
  if (epochs !== undefined && steps !== undefined) throw refuse('steps', steps, 'this or epochs');
  if (patience !== undefined && evaluate === undefined) throw refuse('patience', patience, 'evaluate beside it');
  if (method === 'head' && recompute)
    throw refuse('recompute', recompute, 'none with method "head", which keeps no blocks');
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  return {
    ...{ method, learningRate: rates[method], schedule: 'linear', warmupSteps: 0, weightDecay: 0.01 },
    ...{ betas: [0.9, 0.999], epsilon: 1e-8, maxGradNorm: 1, batchSize: 8, accumulate: 1, epochs: 3 },
    ...{ shuffle: true, seed: 0, truncation: false },
    ...given,
  };
}

export const isExamples = listOf('examples', (one) => typeof one === 'object' && one !== null);
