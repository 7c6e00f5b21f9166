/**
 * What can be learnt of a model from its traces, edits and weights; of any model, in a worker or not.
 * @module vitrine/analysis
 */

export type { LensOptions, Metric, SweepOptions } from './analysis.ts';
export { headAblationSweep, lensTokens, logitDifference, logitLens, patchingSweep } from './analysis.ts';
export type { Attribution, AttributionOptions, NeuronTokens } from './attribution.ts';
export { directLogitAttribution, neuronLogits, neuronTokens } from './attribution.ts';
export { type Neighbour, nearestRows, nearestTokens, rowSimilarities, type Weighted } from './nearest.ts';
export { type Overview, type OverviewOptions, overview } from './overview.ts';
export type { Traceable } from './rows.ts';
