import type { Edit } from '../plan/edit.ts';
import { badOption } from '../plan/error.ts';
import { checkOptions, integer, isSignal, quote } from '../run/check.ts';
import type { LanguageModel, Prompt } from '../run/language-model.ts';
import { editsCheck } from '../run/options.ts';
import type { TopToken } from '../run/output.ts';
import { best } from '../run/sampling.ts';
import { positionsIn } from '../run/trace.ts';
import { inRows, rowOf, type Traceable, throughHead } from './rows.ts';

/** What one part of the model adds to a logit. */
export interface Attribution {
  /**
   * `hook_embed`, `hook_pos_embed` where the model has one, `blocks.3.attn.head.5`, `blocks.3.attn.bias`, `blocks.3.mlp`, `edits`
   * (what edits of the residual stream itself put in the place of that), or `bias` (of ln_final).
   */
  part: string;
  logit: number;
}

export interface AttributionOptions {
  /** Whose logit is asked about. */
  token: number;
  /** A token whose logit is taken from that: what spoke for the one rather than the other. */
  minus?: number;
  /** After which position; negative: from the end. The last by default. */
  position?: number;
  edits?: readonly Edit[];
  signal?: AbortSignal;
}

/**
 * Direct logit attribution (Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits"; the final norm's scale
 * held as it is, as TransformerLens does): the parts' logits of `token` at `position`; their sum is the model's logit.
 */
export async function directLogitAttribution(
  model: Traceable,
  text: Prompt,
  options: AttributionOptions,
): Promise<Attribution[]> {
  const { nLayer, nHead, nEmbd, vocabSize } = model.config;
  const id = integer(0, vocabSize - 1);
  checkOptions('directLogitAttribution', options, {
    token: id,
    minus: id,
    position: { expects: 'an integer', accepts: Number.isInteger },
    edits: editsCheck,
    signal: isSignal,
  });
  const { token, minus, position = -1, edits = [], signal } = options;
  const last = `blocks.${nLayer - 1}.hook_resid_post`;
  // Not every family has positions that are added.
  const wanted = /^(hook_(pos_)?embed|blocks\.\d+\.(attn\.hook_z|hook_mlp_out)|ln_final\.hook_scale)$/;
  const capture = (name: string) => wanted.test(name) || name === last;
  const traced = await model.trace(text, { capture, edits, logits: [], signal });
  const ids = traced.tokens;
  const [at] = positionsIn([position], ids.length) as [number];
  const vector = (name: string) => ({ part: name, values: rowOf(traced.get(name)!, at) });
  const parts = ['hook_embed', 'hook_pos_embed'].filter((name) => traced.get(name)).map(vector);
  const z = Array.from({ length: nLayer }, (_, layer) => vector(`blocks.${layer}.attn.hook_z`).values);
  const outs = await outputsOfHeads(model, ids, z, signal);
  for (let layer = 0; layer < nLayer; layer++) {
    const bias = outs[layer]![nHead]!;
    for (let head = 0; head < nHead; head++) {
      const values = outs[layer]![head]!.map((value, i) => value - bias[i]!);
      parts.push({ part: `blocks.${layer}.attn.head.${head}`, values });
    }
    parts.push({ part: `blocks.${layer}.attn.bias`, values: bias });
    parts.push({ part: `blocks.${layer}.mlp`, values: vector(`blocks.${layer}.hook_mlp_out`).values });
  }
  if (edits.length > 0) {
    const rest = rowOf(traced.get(last)!, at).map((sum, i) =>
      parts.reduce((left, { values }) => left - values[i]!, sum),
    );
    parts.push({ part: 'edits', values: rest });
  }
  parts.push({ part: 'bias', values: new Float32Array(nEmbd) });

  const scale = rowOf(traced.get('ln_final.hook_scale')!, at)[0]!;
  const held = [{ name: 'ln_final.hook_scale', set: scale }];
  const logits: number[] = [];
  const residuals = parts.map(({ values }) => values);
  await throughHead(model, ids, residuals, { edits: held, signal }, (i, all) => {
    logits[i] = all[token]! - (minus === undefined ? 0 : all[minus]!);
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
  signal: AbortSignal | undefined,
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
    const traced = await model.trace(some, { capture, edits, logits: [], signal });
    for (const [layer, rows] of outs.entries()) {
      const out = traced.get(`blocks.${layer}.hook_attn_out`)!;
      for (const i of some.keys()) rows.push(rowOf(out, i));
    }
  });
  return outs;
}

/** A neuron of an MLP: what it writes when it fires. */
export interface NeuronTokens {
  /** The tokens whose logits one unit of its activation raises most, the most raised first. */
  raised: (Pick<TopToken, 'id' | 'text'> & { logit: number })[];
  /** Those that it lowers most. */
  lowered: (Pick<TopToken, 'id' | 'text'> & { logit: number })[];
}

/**
 * What one unit of a neuron's activation adds to every logit (Geva et al. 2021, "Transformer Feed-Forward Layers Are Key-Value
 * Memories"): its column of the MLP's output weight, as the device holds it, against the words, through the final norm's weight,
 * its scale held at 1. Divided by the run's `ln_final.hook_scale` and times its `hook_post` it is what the neuron adds directly there.
 * @returns [vocabSize]
 * @throws VitrineError `bad-option` for a layer or neuron that is not there
 */
export async function neuronLogits(
  model: Traceable,
  layer: number,
  neuron: number,
  { signal }: { signal?: AbortSignal } = {},
): Promise<Float32Array> {
  const { nInner } = model.config;
  checkPlace('layer', layer, model.config.nLayer);
  checkPlace('neuron', neuron, nInner);
  const name = `blocks.${layer}.hook_mlp_out`;
  const one = new Float32Array(nInner);
  one[neuron] = 1;
  const written = async (set: Float32Array | number) => {
    const edits = [{ name: `blocks.${layer}.mlp.hook_post`, set }];
    return (await model.trace([0], { capture: [name], edits, logits: [], signal })).get(name)!.data;
  };
  const [column, bias] = [await written(one), await written(0)];
  const edits = [{ name: 'ln_final.hook_scale', set: 1 }];
  const logits: Float32Array[] = [];
  const residuals = [column.map((value, i) => value - bias[i]!), new Float32Array(column.length)];
  await throughHead(model, [0], residuals, { edits, signal }, (i, all) => {
    logits[i] = all.slice();
  });
  return logits[0]!.map((logit, id) => logit - logits[1]![id]!);
}

function checkPlace(what: string, value: number, count: number): void {
  if (integer(0, count - 1).accepts(value)) return;
  throw badOption(`The ${what} is ${quote(value)}; the model's are 0 to ${count - 1}.`);
}

/** The `count` tokens whose logits a neuron raises most, and those that it lowers most. */
export async function neuronTokens(
  model: Traceable & Pick<LanguageModel, 'tokenizer'>,
  layer: number,
  neuron: number,
  count: number,
  options: { signal?: AbortSignal } = {},
): Promise<NeuronTokens> {
  const logits = await neuronLogits(model, layer, neuron, options);
  const named = (ids: number[]) =>
    Promise.all(ids.map(async (id) => ({ id, text: await model.tokenizer.token(id), logit: logits[id]! })));
  const negated = logits.map((logit) => -logit);
  return { raised: await named(best(logits, count)), lowered: await named(best(negated, count)) };
}
