import { type ConfigOf, openCheckpoint } from '../load/open.ts';
import type { Source, SourceOptions } from '../load/source.ts';
import type { BaseConfig, Head, Kind } from '../model/family.ts';
import type { WeightSpec } from '../plan/plan.ts';
import { checkOptions } from './check.ts';
import { loadChecks } from './loading.ts';

export interface InspectOptions extends SourceOptions {
  signal?: AbortSignal;
}

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
  const { revision, endpoint, token, fetch, cache, signal } = loadChecks;
  checkOptions('inspect', options, { revision, endpoint, token, fetch, cache, signal });
  const checkpoint = await openCheckpoint(source, { ...options, kind: undefined });
  const { family, bytes } = checkpoint;
  const config: BaseConfig = checkpoint.config;
  const { weights } = family.plan(checkpoint.config);
  checkpoint.check(weights);
  const parameters = [...sizesOf(weights).values()].reduce((a, b) => a + b, 0);
  const { modelType = family.modelTypes[0]! } = config as BaseConfig & { modelType?: string };
  return {
    family: modelType,
    kind: family.kind,
    heads: family.heads(checkpoint.config),
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
  const add = (name: string, shape: readonly number[]) =>
    sizes.set(
      name,
      shape.reduce((a, b) => a * b, 1),
    );
  for (const { name, rows, columns, computed } of weights) {
    if (!computed) add(name, [rows, columns]);
    for (const { name, shape } of computed?.from ?? []) add(name, shape);
  }
  for (const name of buffers) sizes.delete(name);
  return sizes;
}
