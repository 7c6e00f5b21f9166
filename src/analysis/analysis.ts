import type { Edit } from '../plan/edit.ts';
import type { LanguageModel, Prompt } from '../run/language-model.ts';
import { logSumExp } from '../run/log-sum-exp.ts';
import type { TopToken } from '../run/output.ts';
import { best } from '../run/sampling.ts';
import { positionsIn } from '../run/trace.ts';
import type { TracedTensor } from '../run/traced.ts';
import { rowOf, type Traceable, throughHead } from './rows.ts';

/** A number that says how well a run does, from its logits [positions, vocabSize]. */
export type Metric = (logits: TracedTensor) => number;

/** Logit of `right` less that of `wrong` at a position (negative: from the end), the usual metric of a sweep. */
export function logitDifference(right: number, wrong: number, position = -1): Metric {
  return (logits) => {
    const row = rowOf(logits, position);
    return row[right]! - row[wrong]!;
  };
}

export interface LensOptions {
  /** Positions whose logits are wanted, negative ones from the end. All by default. */
  positions?: readonly number[];
  /** Edits of the run whose residuals are read; the final norm and the head that read them are the model's own. */
  edits?: readonly Edit[];
  signal?: AbortSignal;
}

/**
 * Logit lens (nostalgebraist 2020, "interpreting GPT: the logit lens"): the logits there would be if the model stopped after
 * each block, that is, if the last residual were that block's.
 * @returns [nLayer] logits, each [positions, vocabSize]; the last are the model's own
 */
export async function logitLens(
  model: Traceable,
  text: Prompt,
  { positions, edits = [], signal }: LensOptions = {},
): Promise<TracedTensor[]> {
  const { nLayer, vocabSize } = model.config;
  const traced = await model.trace(text, { capture: ['blocks.*.hook_resid_post'], edits, logits: [], signal });
  const ids = traced.tokens;
  const wanted = positions ? positionsIn(positions, ids.length) : [...ids.keys()];
  const residuals = Array.from({ length: nLayer }, (_, layer) =>
    wanted.map((position) => rowOf(traced.get(`blocks.${layer}.hook_resid_post`)!, position)),
  );
  const lens = residuals.map(() => ({
    data: new Float32Array(wanted.length * vocabSize),
    shape: [wanted.length, vocabSize],
  }));
  await throughHead(model, ids, residuals.flat(), { signal }, (i, logits) => {
    lens[Math.floor(i / wanted.length)]!.data.set(logits, (i % wanted.length) * vocabSize);
  });
  return lens;
}

/**
 * The `count` likeliest tokens of the logit lens, best first.
 * @returns [nLayer][positions][count]
 */
export async function lensTokens(
  model: Traceable & Pick<LanguageModel, 'tokenizer'>,
  text: Prompt,
  count: number,
  options: LensOptions = {},
): Promise<TopToken[][][]> {
  const named = async (logits: Float32Array) => {
    const total = logSumExp(logits);
    const tokens = best(logits, count).map(async (id) => {
      return { id, text: await model.tokenizer.token(id), logprob: logits[id]! - total };
    });
    return Promise.all(tokens);
  };
  const lens = await logitLens(model, text, options);
  const rows = (logits: TracedTensor) => Array.from({ length: logits.shape[0]! }, (_, row) => rowOf(logits, row));
  return Promise.all(lens.map((logits) => Promise.all(rows(logits).map(named))));
}

/**
 * The metric with each attention head silenced in turn (its z set to zero; Michel, Levy & Neubig 2019, "Are Sixteen Heads
 * Really Better than One?").
 * @returns [nLayer][nHead]
 */
export async function headAblationSweep(model: Traceable, text: Prompt, metric: Metric): Promise<number[][]> {
  const { nLayer, nHead } = model.config;
  return sweep(nLayer, nHead, async (layer, head) => {
    const edits = [{ name: `blocks.${layer}.attn.hook_z`, head, set: 0 }];
    return metric((await model.trace(text, { edits })).logits);
  });
}

export interface SweepOptions {
  /** Positions that are patched, negative ones from the end. All by default. */
  positions?: readonly number[];
  /** Positions whose logits the metric is given, negative ones from the end. All by default. */
  logits?: readonly number[];
  /** Told of each value as soon as it is known. */
  onValue?: (layer: number, position: number, value: number) => void;
  signal?: AbortSignal;
}

/**
 * Activation patching (Meng et al. 2022, "Locating and Editing Factual Associations in GPT"): the metric of the corrupted text with
 * the residual before each block, at each position, set to what it is in the clean text. Both have as many tokens.
 * @returns [nLayer][positions]
 */
export async function patchingSweep(
  model: Traceable,
  clean: Prompt,
  corrupted: Prompt,
  metric: Metric,
  { positions, logits, onValue, signal }: SweepOptions = {},
): Promise<number[][]> {
  const { nLayer } = model.config;
  const source = await model.trace(clean, { capture: ['blocks.*.hook_resid_pre'], logits: [], signal });
  const wanted = positions ? positionsIn(positions, source.tokens.length) : [...source.tokens.keys()];
  return sweep(nLayer, wanted.length, async (layer, i) => {
    const name = `blocks.${layer}.hook_resid_pre`;
    const position = wanted[i]!;
    const edits = [{ name, position, set: rowOf(source.get(name)!, position) }];
    const value = metric((await model.trace(corrupted, { edits, ...(logits && { logits }), signal })).logits);
    onValue?.(layer, position, value);
    return value;
  });
}

async function sweep(rows: number, columns: number, value: (row: number, column: number) => Promise<number>) {
  const table: number[][] = [];
  for (let row = 0; row < rows; row++) {
    const line: number[] = [];
    for (let column = 0; column < columns; column++) line.push(await value(row, column));
    table.push(line);
  }
  return table;
}
