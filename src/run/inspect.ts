import { modelTypeOf } from '../load/checkpoint.ts';
import { type ConfigOf, openCheckpoint } from '../load/open.ts';
import type { Source } from '../load/source.ts';
import { type Head, headsOf, type Kind } from '../model/family.ts';
import { product, type WeightSpec } from '../plan/plan.ts';
import { checkOptions } from './check.ts';
import { type LoadOptions, loadChecks } from './loading.ts';

/** Those of the loaders; what is about running a model changes nothing of what it is. */
export type InspectOptions = LoadOptions;

/** What a checkpoint is, by its config and the names of its tensors. */
export interface Inspection {
  /** `model_type` of its config.json: `gpt2`, `distilbert`, `marian`, ... */
  family: string;
  /** What loads it: `load` a decoder, `loadEncoder` an encoder, and so on. */
  kind: Kind;
  /** What it was trained to answer; none for hidden states alone. */
  heads: Head[];
  /** Stored parameters: a table that is used twice counts once, sinusoids do not count. */
  parameters: number;
  /** Bytes of weights that a load reads. */
  bytes: number;
  config: ConfigOf[Kind];
}

/**
 * What a checkpoint is, before it is loaded: no weight is read.
 * @throws VitrineError as the loaders do: `unsupported-checkpoint` for what none of them takes, `bad-checkpoint`, `network`
 */
export async function inspect(source: Source, options: InspectOptions = {}): Promise<Inspection> {
  checkOptions('inspect', options, loadChecks);
  const { device, dtype, kv, tune, threads, contextLength, ...opening } = options;
  const checkpoint = await openCheckpoint(source, { ...opening, kind: undefined });
  const { family, bytes } = checkpoint;
  const { weights } = family.plan(checkpoint.config);
  checkpoint.check(weights);
  const parameters = [...sizesOf(weights).values()].reduce((a, b) => a + b, 0);
  return {
    family: modelTypeOf(checkpoint),
    kind: family.kind,
    heads: headsOf(family, checkpoint.config),
    parameters,
    bytes,
    config: checkpoint.config,
  };
}

/** What transformers keeps as buffers, which PyTorch does not count. */
const buffers = new Set(['final_logits_bias']);

/** How many numbers each stored tensor has. */
function sizesOf(weights: readonly WeightSpec[]): Map<string, number> {
  const sizes = new Map<string, number>();
  for (const { name, rows, columns, computed } of weights) {
    for (const one of computed?.from ?? [{ name, shape: [rows, columns] }]) sizes.set(one.name, product(one.shape));
  }
  for (const name of buffers) sizes.delete(name);
  return sizes;
}
