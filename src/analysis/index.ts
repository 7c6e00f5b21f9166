/**
 * What can be learnt of a model from its traces, edits and weights; of any model, in a worker or not.
 * @module vitrine/analysis
 */

export {
  type Attribution,
  directLogitAttribution,
  headAblationSweep,
  type LensOptions,
  lensTokens,
  logitDifference,
  logitLens,
  type Metric,
  patchingSweep,
  type Traceable,
} from './analysis.ts';
export { type Neighbour, nearestRows, nearestTokens, rowSimilarities, type Weighted } from './nearest.ts';
export { type Overview, type OverviewOptions, overview } from './overview.ts';
