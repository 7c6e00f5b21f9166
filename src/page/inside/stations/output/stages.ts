import { draw } from '../../../../run/candidates.ts';
import { uniform } from '../../../../run/random.ts';
import { best, type SamplingStage, samplingStages } from '../../../../run/sampling.ts';
import type { Settings } from '../../../settings.ts';

/** Sampling's stages as the page shows them: a few tokens one by one, the others together. */
export interface Pipeline {
  stages: readonly StageView[];
  /** The ids shown one by one: those with the largest logits once penalties are off, and the one drawn. */
  shown: readonly number[];
  picked: Pick;
}

export interface StageView {
  name: SamplingStage['name'];
  /** Tokens of the vocabulary that may still be drawn. */
  left: number;
  /** Of each token shown; undefined if it is cut. */
  probs: readonly (number | undefined)[];
  logits: readonly number[];
  /** Tokens not shown that may still be drawn, and their probability. */
  others: number;
  tail: number;
}

export interface Pick {
  id: number;
  /** The random number, undefined when none is drawn. */
  u: number | undefined;
  /** Tokens shown, and those between them, from 0 to 1 in the order of their ids. */
  segments: readonly Segment[];
}

export interface Segment {
  /** Undefined for tokens not shown. */
  id: number | undefined;
  from: number;
  to: number;
}

export const mostTokens = 20;

/**
 * The pipeline of the token after `prompt`, whose logits [vocabSize] are given, as the first one of a completion.
 * `alike`: the ids to show, those of another pipeline.
 */
export function pipelineOf(
  logits: Float32Array,
  settings: Settings,
  prompt: readonly number[],
  alike?: readonly number[],
): Pipeline {
  const stages = samplingStages(logits, settings, { prompt });
  const { candidates, logits: final } = stages.at(-1)!;
  const u = settings.temperature > 0 ? uniform(settings.seed, 0) : undefined;
  const id = u === undefined ? candidates.ids[0]! : draw(candidates, u);
  const top = best(final, mostTokens);
  const shown = alike ?? (top.includes(id) ? top : [...top, id]);
  return {
    stages: stages.map((stage) => viewOf(stage, shown)),
    shown,
    picked: { id, u, segments: segmentsOf(stages.at(-1)!, shown) },
  };
}

function viewOf({ name, logits, candidates: { ids, probs } }: SamplingStage, shown: readonly number[]): StageView {
  const places = new Map(shown.map((id) => [id, ids.indexOf(id)]));
  const own = shown.map((id) => (places.get(id)! < 0 ? undefined : probs[places.get(id)!]!));
  const kept = own.filter((prob) => prob !== undefined);
  return {
    name,
    left: ids.length,
    probs: own,
    logits: shown.map((id) => logits[id]!),
    others: ids.length - kept.length,
    tail: ids.length > kept.length ? Math.max(0, 1 - kept.reduce((sum, prob) => sum + prob, 0)) : 0,
  };
}

function segmentsOf({ candidates: { ids, probs } }: SamplingStage, shown: readonly number[]): Segment[] {
  const segments: Segment[] = [];
  let sum = 0;
  for (let i = 0; i < ids.length; i++) {
    const id = shown.includes(ids[i]!) ? ids[i]! : undefined;
    const last = segments.at(-1);
    const to = sum + probs[i]!;
    if (id === undefined && last && last.id === undefined) last.to = to;
    else segments.push({ id, from: sum, to });
    sum = to;
  }
  return segments;
}
