/**
 * Vitrine: transformers in the browser on WebGPU.
 * @module vitrine
 */

export * from './analysis/index.ts';
export type { ImageSettings } from './image/settings.ts';
export type { ImageSource } from './image/source.ts';
export type { CacheStore } from './load/cache-store.ts';
export type { CachedModel } from './load/cached-models.ts';
export type { Checkpoint, Progress } from './load/checkpoint.ts';
export { folderStore } from './load/folder-store.ts';
export { models } from './load/kept.ts';
export type { Source } from './load/source.ts';
export type { EncoderConfig } from './model/bert.ts';
export type { ModelConfig } from './model/config.ts';
export type { EncoderDecoderConfig } from './model/family.ts';
export type { GenerationConfig } from './model/generation.ts';
export type { DenseActivation, DenseLayer, PoolingMode, SentenceConfig } from './model/sentence.ts';
export type { VisionConfig } from './model/vit.ts';
export type { Edit } from './plan/edit.ts';
export { type ErrorCode, VitrineError } from './plan/error.ts';
export type { Axis, Step, TensorSpec } from './plan/plan.ts';
export type { Profile, StepTime } from './plan/profile.ts';
export type { Answer, AnswerOptions } from './run/answer.ts';
export { checkDevice } from './run/canary/check-device.ts';
export type { DeviceCheck, Finding } from './run/canary/finding.ts';
export type { Agreement, CheckDeviceOptions, DeviceReport, Rung } from './run/canary/report.ts';
export type { ChatOptions, ChatTextOptions } from './run/chat.ts';
export type { ClassifyOptions, ClassScore } from './run/classify.ts';
export type { EmbedOptions, TextsProgress } from './run/embed.ts';
export type { Encoder, EncoderResult } from './run/encoder.ts';
export type { EncoderDecoder, EncoderDecoderResult, SourceInput, TargetInput } from './run/encoder-decoder.ts';
export type { EncoderIds, EncoderInput, EncoderWords } from './run/encoder-input.ts';
export type { Filling, FillOptions } from './run/fill.ts';
export type { HeadOptions } from './run/heads.ts';
export { type Inspection, type InspectOptions, inspect } from './run/inspect.ts';
export type {
  DeviceInfo,
  LanguageModel,
  LogitsOptions,
  ModelTokenizer,
  ProfileOptions,
  Prompt,
  WeightShape,
} from './run/language-model.ts';
export { load } from './run/load.ts';
export { loadEncoder, loadEncoderDecoder, loadVision } from './run/loaders.ts';
export type { LoadOptions } from './run/loading.ts';
export type { Model } from './run/model.ts';
export type { EncoderDecoderOptions, GenerateOptions, History, LogitsProcessor } from './run/options.ts';
export type { Completion, FinishReason, Sequence, Token, TopToken } from './run/output.ts';
export { type PipelineOptions, pipeline } from './run/pipeline.ts';
export type { PipelineProgress } from './run/pipelines/progress.ts';
export type { PipelineTensor } from './run/pipelines/tensor.ts';
export type * from './run/pipelines/types.ts';
export { distribution } from './run/sampling.ts';
export type { Score, ScoreOptions } from './run/score.ts';
export type { Aggregate, Entity, TagOptions } from './run/tag.ts';
export type { TraceOptions } from './run/trace.ts';
export type { Trace, TracedTensor } from './run/traced.ts';
export type { ClassifyImageOptions, Vision, VisionInput, VisionResult } from './run/vision.ts';
export type { WeightOptions } from './run/weight.ts';
export { type ChatMessage, type ChatTemplateOptions, renderChat } from './text/chat.ts';
export type { DecodeOptions, EncodeOptions, InputsOptions, TokenizerInputs, Truncation } from './text/options.ts';
export type { TextStream, Tokenizer } from './text/tokenizer.ts';
