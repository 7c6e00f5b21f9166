/** Vitrine: GPT-2 in the browser on WebGPU. */

export { type CachedModel, models } from './load/cache.ts';
export { type CacheStore, folderStore } from './load/cache-store.ts';
export type { Checkpoint, Progress } from './load/checkpoint.ts';
export type { Source } from './load/source.ts';
export type { ModelConfig } from './model/config.ts';
export type { Edit } from './plan/edit.ts';
export { type ErrorCode, VitrineError } from './plan/error.ts';
export type { Axis, Step, TensorSpec } from './plan/plan.ts';
export type { Profile, StepTime } from './plan/profile.ts';
export {
  type Attribution,
  directLogitAttribution,
  headAblationSweep,
  type LensOptions,
  logitDifference,
  logitLens,
  type Metric,
  patchingSweep,
  type Traceable,
} from './run/analysis.ts';
export { type LoadOptions, load } from './run/load.ts';
export type { DeviceInfo, LogitsOptions, Model, ProfileOptions, Prompt } from './run/model.ts';
export { type Neighbour, nearestRows, rowSimilarities, type Weighted } from './run/nearest.ts';
export type { GenerateOptions, History, LogitsProcessor } from './run/options.ts';
export type { Completion, FinishReason, Sequence, Token, TopToken } from './run/output.ts';
export { type Overview, type OverviewOptions, overview } from './run/overview.ts';
export { distribution } from './run/sampling.ts';
export type { Score, ScoreOptions } from './run/score.ts';
export type { Trace, TracedTensor, TraceOptions } from './run/trace.ts';
export type { WeightOptions } from './run/weight.ts';
export type { TextStream, Tokenizer } from './text/tokenizer.ts';
