import type { Profile } from '../../../../index.ts';
import { type ForwardOp, type Step, stepOutputs } from '../../../../plan/plan.ts';
import { words } from './words.ts';

/** A step as it comes once in every block, or once in all, with its times. */
export interface Part {
  /** The tensors it makes, `*` for the block. */
  key: string;
  title: string;
  /** The ops of the unfused plan that it does. */
  ops: readonly ForwardOp[];
  shaders: readonly string[];
  /** Of each block; of the whole model for a step that comes once. */
  times: { layer: number | undefined; microseconds: number }[];
  microseconds: number;
  share: number;
}

/** Least and most of a step's times in the blocks, if they differ more than twofold: the same work, so it is the machine that varies. */
export function spreadOf(times: Part['times']): readonly [least: number, most: number] | undefined {
  const all = times.map(({ microseconds }) => microseconds);
  const [least, most] = [Math.min(...all), Math.max(...all)];
  return all.length > 1 && most > 2 * least ? [least, most] : undefined;
}

/** The steps of a profile, those of all blocks put together, in the order they first run. */
export function partsOf({ steps }: Profile): Part[] {
  const parts = new Map<string, Part>();
  const whole = steps.reduce((sum, { microseconds }) => sum + microseconds, 0);
  for (const { step, shaders, microseconds } of steps) {
    const names = stepOutputs(step).length > 0 ? stepOutputs(step) : [step.op === 'cacheAppend' ? step.k : step.op];
    const layer = /^blocks\.(\d+)\./.exec(names[0]!)?.[1];
    // The first block's input is made by the embedding, which no block repeats.
    const once = step.op === 'embed' || layer === undefined || names[0] === 'blocks.0.hook_resid_pre';
    const key = `${step.op} ${names.map((name) => (once ? name : name.replace(/^blocks\.\d+/, 'blocks.*'))).join(', ')}`;
    const part = parts.get(key) ?? { ...described(step), key, shaders, times: [], microseconds: 0, share: 0 };
    part.times.push({ layer: once ? undefined : Number(layer), microseconds });
    part.microseconds += microseconds;
    part.share = whole > 0 ? part.microseconds / whole : 0;
    parts.set(key, part);
  }
  return [...parts.values()];
}

function described(step: Step): Pick<Part, 'title' | 'ops'> {
  const ops = opsOf(step);
  if (step.op === 'attention') return { title: words.ops[step.op], ops };
  if (step.op === 'embed' && step.tables.length === 1) return { title: words.lookups[step.tables[0]!.by], ops };
  const names = ops.flatMap((op) => {
    // The scale is part of the norm, but where a plan has it as a step of its own.
    if (op === 'normScale' && ops.length > 1) return [];
    const product = step.op === 'linear' && op === 'linear' && words.products[step.weight.replace(/^h\.\d+\./, '')];
    return product || nameOf(op, step);
  });
  return { title: names.join(' + '), ops };
}

/** What an op is called in a step: norms without a mean have a name of their own, and so has a product of two tensors. */
function nameOf(op: ForwardOp, step: Step): string {
  const norm = step.op === 'linear' ? step.norm : step.op === 'norm' || step.op === 'normScale' ? step : undefined;
  if (op === 'norm' && norm?.centred === false) return words.rootNorm;
  if (op === 'normScale' && norm?.centred === false) return words.rootNormScale;
  const multiplies = step.op === 'binary' ? step.kind === 'multiply' : step.op === 'linear' && step.gate !== undefined;
  return op === 'binary' && multiplies ? words.multiply : words.ops[op];
}

/** The ops that fusion put together in a step (src/plan/fuse.ts). */
function opsOf(step: Step): ForwardOp[] {
  switch (step.op) {
    case 'attention':
      return ['attentionScores', 'maskedSoftmax', 'attentionMix'];
    case 'norm':
      return step.scale === undefined ? ['normScale', 'norm'] : ['norm'];
    case 'linear': {
      const all: [ForwardOp, boolean][] = [
        ['normScale', step.norm !== undefined],
        ['norm', step.norm !== undefined],
        ['linear', true],
        ['cacheAppend', step.cache !== undefined],
        ['activation', step.activation !== undefined],
        ['binary', step.residual !== undefined || step.gate !== undefined],
      ];
      return all.flatMap(([op, does]) => (does ? [op] : []));
    }
    case 'adjoint':
      return []; // no profile of a model has one
    default:
      return [step.op];
  }
}
