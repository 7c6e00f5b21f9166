import { applyEdits } from '../plan/apply-edits.ts';
import { asKept, type KvFormat } from '../plan/kv.ts';
import { type Op, type Plan, type Step, widthOf } from '../plan/plan.ts';
import { activation } from './activation.ts';
import type { AdjointRun, adjoint } from './adjoint.ts';
import { attentionMix } from './attention-mix.ts';
import { attentionScores } from './attention-scores.ts';
import { binary } from './binary.ts';
import { cacheAppend } from './cache-append.ts';
import { embed } from './embed.ts';
import { linear } from './linear.ts';
import { maskedSoftmax } from './masked-softmax.ts';
import { norm, normScale } from './norm.ts';
import { rotate } from './rotate.ts';
import { selectRows } from './select-rows.ts';

/** What the steps of a run work on. */
export interface Run extends AdjointRun {
  kv: KvFormat;
  /** Performs the steps of a gradient; for a plan that has any. */
  adjoint: typeof adjoint | undefined;
}

/** Performs a step as it is written: nothing is fused here. */
export function perform(step: Step, run: Run): void {
  (performers[step.op] as (step: Step, run: Run) => void)(step, run);
}

const performers: { [K in Op]: (step: Extract<Step, { op: K }>, run: Run) => void } = {
  embed({ tables, output }, { batch, tensor, weight }) {
    const found = tables.map((table) => ({ ...table, weight: weight(table.weight) }));
    embed(found, batch.rows, tensor(output));
  },
  input: ({ output }, { batch, tensor }) => tensor(output).set(batch.input!),
  binary: ({ kind, a, b, output }, { tensor }) => binary(kind, tensor(a), tensor(b), tensor(output)),
  normScale({ input, output, epsilon, centred }, { plan, tensor }) {
    normScale(tensor(input), widthIn(plan, input) / widthIn(plan, output), epsilon, centred, tensor(output));
  },
  norm(step, run) {
    const { input, scale, output, centred } = step;
    if (scale === undefined) return unfused(step);
    const given = { weight: vector(run, step.weight), bias: optional(run, step.bias), centred };
    const n = widthIn(run.plan, input) / widthIn(run.plan, scale);
    norm(run.tensor(input), run.tensor(scale), given, n, run.tensor(output));
  },
  selectRows({ input, output }, { plan, batch, tensor }) {
    selectRows(tensor(input), batch.logitRows, widthIn(plan, input), tensor(output));
  },
  linear(step, run) {
    const { input, weight, bias, outputs, lowRank } = step;
    if (step.norm || step.activation || step.residual || step.gate || step.select || step.cache) return unfused(step);
    const added = lowRank && { ...lowRank, x: run.tensor(lowRank.input), up: vector(run, lowRank.weight) };
    linear(run.tensor(input), run.weight(weight), optional(run, bias), outputs.map(run.tensor), added);
  },
  rotate({ input, table, output }, { plan, batch, tensor, weight }) {
    const [, , headDim] = plan.tensors.get(input)!.shape;
    rotate(tensor(input), weight(table), batch.rows, headDim as number, tensor(output));
  },
  cacheAppend(step, { kv, tensor, places, ...run }) {
    const { nHead, headDim, ...cache } = run.cache(step.source);
    for (const part of ['k', 'v'] as const) {
      cacheAppend(asKept(kv, tensor(step[part]), headDim), places(step.source), nHead * headDim, cache[part]);
    }
  },
  attentionScores({ q, source, scale, bias: name, window, output }, run) {
    const cache = run.cache(source);
    const nHead = widthIn(run.plan, q) / cache.headDim;
    const weight = name === undefined ? undefined : run.weight(name);
    const bias = weight && { ...weight, values: vector(run, name!), columns: weight.spec.columns };
    const how = { nHead, scale, bias, window };
    attentionScores(run.tensor(q), cache, run.places(source), how, keysOf(source, run), run.tensor(output));
  },
  maskedSoftmax({ input, source, output }, run) {
    maskedSoftmax(run.tensor(input), keysOf(source, run), run.tensor(output));
  },
  attentionMix({ pattern, source, output }, run) {
    const cache = run.cache(source);
    const nHead = widthIn(run.plan, output) / cache.headDim;
    attentionMix(run.tensor(pattern), cache, run.places(source), nHead, keysOf(source, run), run.tensor(output));
  },
  activation: ({ kind, input, output }, { tensor }) => activation(kind, tensor(input), tensor(output)),
  edit({ tensor, edits }, run) {
    applyEdits(edits, run.plan.tensors.get(tensor)!, run.batch, run.sizes, run.tensor(tensor));
  },
  adjoint: (step, run) => run.adjoint!(step, run),
  attention: unfused,
  rotateAppend: unfused,
};

const vector = (run: Run, name: string) => run.weight(name).packed.values as Float32Array;
const optional = (run: Run, name: string | undefined) => (name === undefined ? undefined : vector(run, name));

/** Length of a tensor's rows. */
const widthIn = (plan: Plan, name: string): number => widthOf(plan.tensors.get(name)!);

/** The most keys of a source that a row sees. */
const keysOf = (source: string, { plan, sizes }: Run): number =>
  sizes[plan.sources.get(source)!.axis === 'source' ? 'source' : 'context'];

function unfused(step: Step): never {
  throw new Error(`The CPU backend runs plans as written: it has no fused ${step.op}.`);
}
