import { adjoint } from '../cpu/adjoint.ts';
import type { Run } from '../cpu/run.ts';
import type { CpuWeight } from '../cpu/weights.ts';
import { type Adjoint, adjointOutputs } from '../plan/adjoint.ts';
import { strideOf } from '../plan/formats.ts';
import { type KeySource, keyAxisOf, type Plan, type Step } from '../plan/plan.ts';
import { placesOf } from '../plan/rows.ts';
import { layout } from './binary.ts';
import { type Fields, headsOf, type Lowering, matrix, type SourceMemory, source, width, write } from './lower.ts';
import type { WasmMemory } from './memory.ts';
import type { WasmWeight } from './weights.ts';

const { Op } = layout;

export { forwardRules as gradientRules } from '../plan/gradient-fuse.ts';

/** Where a gradient's step finds what it works on in memory. */
export interface AdjointMemory extends Pick<Run, 'plan' | 'batch' | 'sizes'> {
  memory: WasmMemory;
  /** Positions of a slot. */
  context: number;
  /** A tensor in its spec's shape: a copy. */
  read(name: string): Float32Array;
  write(name: string, values: Float32Array): void;
  weight(name: string): WasmWeight;
  source(name: string): SourceMemory;
}

/** Steps of a gradient that kernels perform. */
type InKernels = Exclude<
  Adjoint,
  { of: 'embed' | 'normWeight' | 'normScale' | 'normByScale' | 'bias' | 'edit' | 'pointLoss' }
>;
const inJavaScript = ['embed', 'normWeight', 'normScale', 'normByScale', 'bias', 'edit', 'pointLoss'];
export const isInKernels = (step: Adjoint): step is InKernels => !inJavaScript.includes(step.of);

/** A step of a gradient as the kernels have it, which is one for each of the gradients that lie side by side. */
export function lowerAdjoint(step: Adjoint, to: Lowering): Fields<'Step'>[] {
  if (!isInKernels(step)) throw new Error(`No kernel performs the adjoint of ${step.of}.`);
  if (step.of === 'linear' || step.of === 'linearWeight' || step.of === 'columnSums') return sideBySide(step, to);
  return [lowered(step, to)];
}

function sideBySide(step: Extract<Adjoint, { of: 'linear' | 'linearWeight' | 'columnSums' }>, to: Lowering) {
  let places = 0;
  const all = step.reads.grads.map((name) => width(name, to));
  const spec = to.plan.tensors.get(step.output)!;
  return step.reads.grads.map((name, i): Fields<'Step'> => {
    const own = { input: to.tensor(name), width: all[i]!, output: to.tensor(step.output), places };
    places += all[i]!;
    const wanted = +isOfLogits(name, to);
    if (step.of === 'columnSums') {
      return { ...own, op: Op.columnSums, keyWidth: spec.shape[0] as number, kind: +step.adds, wanted };
    }
    if (step.of === 'linearWeight') {
      const { input } = step.reads;
      const second = to.tensor(input);
      return { ...own, op: Op.linearWeight, second, keyWidth: width(input, to), kind: +step.adds, wanted };
    }
    const weight = to.weight(step.weight);
    const before = i > 0 ? step.output : step.reads.residual;
    const second = before === undefined ? 0 : to.tensor(before);
    const tables = write('Table', [matrix(weight)], to);
    return { ...own, op: Op.linearBack, second, keyWidth: weight.spec.columns, tables, wanted };
  });
}

const isOfLogits = (name: string, { plan }: Lowering): boolean => plan.tensors.get(name)!.shape[0] === 'logitRows';

function lowered(
  step: Exclude<InKernels, { of: 'linear' | 'linearWeight' | 'columnSums' }>,
  to: Lowering,
): Fields<'Step'> {
  const { tensor } = to;
  switch (step.of) {
    case 'activation': {
      const { grad, input } = step.reads;
      const of = { input: tensor(grad), second: tensor(input), kind: layout.Activation[step.kind] };
      return { op: Op.activationBack, ...rows(step.output, to), ...of };
    }
    case 'norm': {
      const { grad, input, scale, residual } = step.reads;
      return {
        ...{
          op: Op.normBack,
          ...rows(step.output, to),
          input: tensor(input),
          gate: tensor(grad),
          second: tensor(scale),
        },
        ...{ normWeight: to.weight(step.weight).values, centred: +step.centred, kind: +step.fixed },
        ...{ nHead: headsOf(input, to), tables: residual === undefined ? 0 : tensor(residual) },
      };
    }
    case 'selectRows':
      return { op: Op.selectBack, ...rows(step.output, to), input: tensor(step.reads.grad) };
    case 'rotate': {
      const { values, spec } = to.weight(step.weight);
      const nHead = headsOf(step.output, to);
      const turned = { angles: values, pairs: spec.columns / 2, nHead, headDim: width(step.output, to) / nHead };
      return { op: Op.rotateBack, ...rows(step.output, to), input: tensor(step.reads.grad), ...turned };
    }
    case 'maskedSoftmax': {
      const { grad, pattern } = step.reads;
      const spec = to.plan.tensors.get(step.output)!;
      const memory = +(keyAxisOf(spec) === 'source');
      const keyed = { nHead: spec.shape[0] as number, keyWidth: to.keyWidth(step.output), memory };
      const of = { input: tensor(grad), second: tensor(pattern), output: tensor(step.output) };
      return { op: Op.softmaxBack, ...of, ...keyed };
    }
    case 'attentionMix':
      return { op: Op.mixBack, input: tensor(step.reads.grad), ...seen(step, step.output, to), scale: 1 };
    case 'attentionScores':
      return {
        op: Op.scoresBack,
        input: tensor(step.reads.grad),
        ...seen(step, step.reads.grad, to),
        scale: step.scale,
      };
    case 'keys': {
      const { weights, vectors } = step.reads;
      const of = { input: tensor(weights), second: tensor(vectors), kind: +step.adds, scale: step.scale };
      const { keys, values } = to.source(step.into);
      const { output: _, ...keyed } = seen({ ...step, output: weights }, weights, to);
      return { op: Op.keysBack, ...of, ...keyed, keys: step.part === 'k' ? keys : values };
    }
    case 'cacheAppend': {
      const own = to.source(step.source);
      const keys = step.part === 'k' ? own.keys : own.values;
      return { op: Op.appendBack, ...source(step.source, to), keys, output: tensor(step.output) };
    }
    case 'crossEntropy': {
      const of = { input: tensor(step.reads.logits), second: tensor(step.losses), tables: to.labels };
      return { op: Op.crossEntropy, ...rows(step.output, to), ...of };
    }
    default:
      return step satisfies never;
  }
}

const rows = (name: string, to: Lowering): Fields<'Step'> => ({
  ...{ output: to.tensor(name), width: width(name, to), wanted: +isOfLogits(name, to) },
});

/** @param shaped a tensor [nHead, rows, keys] */
function seen(step: { source: string; window?: number; output: string }, shaped: string, to: Lowering): Fields<'Step'> {
  const nHead = to.plan.tensors.get(shaped)!.shape[0] as number;
  const keyed = { nHead, keyWidth: to.keyWidth(shaped), ...(step.window !== undefined && { masked: step.window }) };
  return { ...source(step.source, to), output: to.tensor(step.output), ...keyed };
}

/**
 * Sources whose memory that of another may be, by name: the gradients of keys are read soon after they are made, unless another run
 * reads them.
 */
export function sharedSources({ sources, steps, encoderBackward = [] }: Plan): Map<string, string> {
  const shared = new Map<string, string>();
  const free: string[] = [];
  const all = [...steps, ...encoderBackward].filter((step) => step.op === 'adjoint');
  const last = new Map(all.flatMap((step, i) => (step.of === 'cacheAppend' ? [[step.source, i] as const] : [])));
  const alike = (a: KeySource, b: KeySource) => a.nHead === b.nHead && a.headDim === b.headDim && a.axis === b.axis;
  const begun = new Set<string>();
  for (const [i, step] of all.entries()) {
    if (step.of === 'keys' && !begun.has(step.into)) {
      begun.add(step.into);
      const own = sources.get(step.into)!;
      const at = own.axis === 'source' ? -1 : free.findIndex((name) => alike(sources.get(name)!, own));
      if (at >= 0) shared.set(step.into, free.splice(at, 1)[0]!);
    }
    if (step.of === 'cacheAppend' && last.get(step.source) === i) free.push(shared.get(step.source) ?? step.source);
  }
  return shared;
}

/** Which name a tensor's memory goes by: the gradient of many logits takes their place, where nobody wants to see them. */
export function inPlace(steps: readonly Step[], keep: ReadonlySet<string>): (name: string) => string {
  const loss = steps.find((step) => step.op === 'adjoint' && step.of === 'crossEntropy') as
    | { output?: string }
    | undefined;
  return (name) => (name === loss?.output && !keep.has('logits') ? 'logits' : name);
}

/** A step of a gradient, by the reference in JavaScript on copies of what it reads. */
export function performAdjoint(step: Adjoint, at: AdjointMemory): void {
  const tensors = new Map<string, Float32Array>();
  const tensor = (name: string) => {
    const values = tensors.get(name) ?? at.read(name);
    tensors.set(name, values);
    return values;
  };
  adjoint(step, {
    ...{ plan: at.plan, batch: at.batch, sizes: at.sizes, tensor },
    weight: (name) => vectorAt(at.memory, at.weight(name)),
    // What is left to the reference asks how many heads there are, and reads no keys.
    cache: (name) => ({ ...at.source(name), k: noKeys, v: noKeys }),
    places: (name) => at.batch.rows.map((row) => placesOf(row, at.plan.sources.get(name)!, at.context)),
  });
  for (const name of adjointOutputs(step)) at.write(name, tensor(name));
}

const noKeys = new Float32Array(0);

/** A vector: of matrices that steps performed here read none. */
function vectorAt(memory: WasmMemory, { spec, format, values, bytes }: WasmWeight): CpuWeight {
  const stride = strideOf(spec.columns);
  return { spec, format, stride, packed: { values: memory.floats(values, stride) }, bytes };
}
