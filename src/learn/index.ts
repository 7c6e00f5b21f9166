/**
 * Adapting models: LoRA adapters, loaded and saved in the format of Hugging Face's peft.
 * @module vitrine/learn
 */

export { Adapter } from '../adapter/adapter.ts';
export type { AdapterOptions, AdapterSource, NamedFiles } from '../adapter/read.ts';
export type { IntegratedOptions, PatchingOptions } from './attribution.ts';
export { attributionPatching, integratedGradients } from './attribution.ts';
export type { Checkpoint, Evaluation } from './checkpoint.ts';
export type { Example } from './examples.ts';
export { type GradientOptions, Gradients, gradients } from './gradients.ts';
export type { Learner } from './inside.ts';
export { loadAdapter } from './load-adapter.ts';
export type { AnswerIds, Label, LossOption } from './loss.ts';
export type { RunMemory } from './memory.ts';
export type { TrainOptions } from './options.ts';
export { type Step, type Trained, Training } from './run.ts';
export { train } from './train.ts';
export { TrainedModel } from './trained.ts';
export { Diverged } from './training.ts';
export type { LeftOut } from './without.ts';
