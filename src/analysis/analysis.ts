import type { Edit } from '../plan/edit.ts';
import type { VitrineError } from '../plan/error.ts';
import type { LanguageModel, Prompt } from '../run/language-model.ts';
import type { TopToken } from '../run/output.ts';
import { best, logSumExp } from '../run/sampling.ts';
import { positionsIn, type TraceOptions } from '../run/trace.ts';
import type { TracedTensor } from '../run/traced.ts';

/** What the functions here need of a model: they are made of `trace` and its edits alone. */
export type Traceable = Pick<LanguageModel, 'trace' | 'config'>;

/** A number that says how well a run does, from its logits [positions, vocabSize]. */
export type Metric = (logits: TracedTensor) => number;

/** Logit of `right` less that of `wrong` at a position (negative: from the end), the usual metric of a sweep. */
export function logitDifference(right: number, wrong: number, position = -1): Metric {
  return (logits) => {
    const row = rowOf(logits, position);
    return row[right]! - row[wrong]!;
  };
}

/** Values of one position of a tensor [positions, ...]. */
function rowOf({ data, shape }: TracedTensor, position: number): Float32Array {
  const length = shape[0]!;
  const width = data.length / length;
  const at = position < 0 ? length + position : position;
  return data.subarray(at * width, (at + 1) * width);
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

/** What one part of the model adds to a logit. */
export interface Attribution {
  /** `hook_embed`, `hook_pos_embed`, `blocks.3.attn.head.5`, `blocks.3.attn.bias`, `blocks.3.mlp`, or `bias` (of ln_final). */
  part: string;
  logit: number;
}

/**
 * Direct logit attribution (Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits"; the final LayerNorm's scale
 * held as it is, as TransformerLens does): the parts' logits of `token` at `position`; their sum is the model's logit.
 */
export async function directLogitAttribution(
  model: Traceable,
  text: Prompt,
  { token, position = -1 }: { token: number; position?: number },
): Promise<Attribution[]> {
  const { nLayer, nHead, nEmbd } = model.config;
  const zs = 'blocks.*.attn.hook_z';
  const capture = ['hook_embed', 'hook_pos_embed', zs, 'blocks.*.hook_mlp_out', 'ln_final.hook_scale'];
  const traced = await model.trace(text, { capture, logits: [] });
  const ids = traced.tokens;
  const vector = (name: string) => ({ part: name, values: rowOf(traced.get(name)!, position) });
  const parts = [vector('hook_embed'), vector('hook_pos_embed')];
  const z = Array.from({ length: nLayer }, (_, layer) => vector(`blocks.${layer}.attn.hook_z`).values);
  const outs = await outputsOfHeads(model, ids, z);
  for (let layer = 0; layer < nLayer; layer++) {
    const bias = outs[layer]![nHead]!;
    for (let head = 0; head < nHead; head++) {
      const values = outs[layer]![head]!.map((value, i) => value - bias[i]!);
      parts.push({ part: `blocks.${layer}.attn.head.${head}`, values });
    }
    parts.push({ part: `blocks.${layer}.attn.bias`, values: bias });
    parts.push({ part: `blocks.${layer}.mlp`, values: vector(`blocks.${layer}.hook_mlp_out`).values });
  }
  parts.push({ part: 'bias', values: new Float32Array(nEmbd) });

  const scale = rowOf(traced.get('ln_final.hook_scale')!, position)[0]!;
  const edits = [{ name: 'ln_final.hook_scale', set: scale }];
  const logits: number[] = [];
  const residuals = parts.map(({ values }) => values);
  await throughHead(model, ids, residuals, { edits }, (i, all) => {
    logits[i] = all[token]!;
  });
  const bias = logits.at(-1)!;
  return parts.map(({ part }, i) => ({ part, logit: part === 'bias' ? bias : logits[i]! - bias }));
}

/**
 * What attention's output is with each head's z alone, and with none: [nLayer][nHead + 1] rows [nEmbd]. A position's output depends
 * on its own z only, so that one run has a head a position, in all layers at once.
 * @param z of each layer, [nHead * headDim]
 */
async function outputsOfHeads(
  model: Traceable,
  ids: readonly number[],
  z: readonly Float32Array[],
): Promise<Float32Array[][]> {
  const { nHead } = model.config;
  const capture = ['blocks.*.hook_attn_out'];
  const outs = z.map((): Float32Array[] => []);
  await inRows(model, ids, nHead + 1, async (first, some) => {
    const edits = z.map((values, layer) => {
      const width = values.length / nHead;
      const set = new Float32Array(some.length * values.length);
      for (const i of some.keys()) {
        const from = (first + i) * width; // the last row is none's
        set.set(values.subarray(from, from + width), i * values.length + from);
      }
      return { name: `blocks.${layer}.attn.hook_z`, set };
    });
    const traced = await model.trace(some, { capture, edits, logits: [] });
    for (const [layer, rows] of outs.entries()) {
      const out = traced.get(`blocks.${layer}.hook_attn_out`)!;
      for (const i of some.keys()) rows.push(rowOf(out, i));
    }
  });
  return outs;
}

/** Logits are the larger part of a run of final residuals: so many at once, if the text has no more. */
const FEW = 64;

/**
 * The logits [vocabSize] of each of some final residuals. A position's logits depend on its own residual only, so one run
 * takes many; edits give all that precedes it, which therefore is not made.
 */
async function throughHead(
  model: Traceable,
  ids: readonly number[],
  residuals: readonly Float32Array[],
  { edits = [], ...options }: Pick<TraceOptions, 'edits' | 'signal'>,
  onLogits: (i: number, logits: Float32Array) => void,
): Promise<void> {
  const { nLayer, nEmbd } = model.config;
  await inRows(model, ids, residuals.length, async (first, some) => {
    const set = new Float32Array(some.length * nEmbd);
    for (const i of some.keys()) set.set(residuals[first + i]!, i * nEmbd);
    const last = { name: `blocks.${nLayer - 1}.hook_resid_post`, set };
    const { logits } = await model.trace(some, { edits: [last, ...edits], ...options });
    for (const i of some.keys()) onLogits(first + i, rowOf(logits, i));
  });
}

/** Runs so many rows as texts made of a text's ids, each as long as may be: where the context is shorter than that, as the text is. */
async function inRows(
  { config }: Traceable,
  ids: readonly number[],
  count: number,
  run: (first: number, ids: number[]) => Promise<void>,
): Promise<void> {
  let most = Math.max(ids.length, Math.min(FEW, config.nCtx));
  for (let first = 0; first < count; ) {
    const length = Math.min(most, count - first);
    try {
      await run(
        first,
        Array.from({ length }, (_, i) => ids[i % ids.length]!),
      );
      first += length;
    } catch (error) {
      if ((error as Partial<VitrineError>).code !== 'context-full' || most === ids.length) throw error;
      most = ids.length;
    }
  }
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
): Promise<number[][]> {
  const { nLayer } = model.config;
  const source = await model.trace(clean, { capture: ['blocks.*.hook_resid_pre'] });
  return sweep(nLayer, source.tokens.length, async (layer, position) => {
    const name = `blocks.${layer}.hook_resid_pre`;
    const edits = [{ name, position, set: rowOf(source.get(name)!, position) }];
    return metric((await model.trace(corrupted, { edits })).logits);
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
