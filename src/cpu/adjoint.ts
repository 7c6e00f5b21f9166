import { activationSlope } from '../plan/activation-slope.ts';
import type { Adjoint } from '../plan/adjoint.ts';
import { applyEdits } from '../plan/apply-edits.ts';
import type { Batch } from '../plan/backend.ts';
import { unpackRow } from '../plan/formats.ts';
import { type AxisSizes, type Plan, widthOf } from '../plan/plan.ts';
import type { KeyCache, Places } from './key-cache.ts';
import type { CpuWeight } from './weights.ts';

/** What an adjoint works on. */
export interface AdjointRun {
  plan: Plan;
  batch: Batch;
  sizes: AxisSizes;
  tensor(name: string): Float32Array;
  weight(name: string): CpuWeight;
  cache(source: string): KeyCache;
  places(source: string): Places[];
}

/** The reference of every adjoint: sums in float64. What each computes is said in src/plan/adjoint.ts. */
export function adjoint(step: Adjoint, run: AdjointRun): void {
  switch (step.of) {
    case 'linear':
      return linear(step, run);
    case 'linearWeight':
      return linearWeight(step, run);
    case 'columnSums':
      return columnSums(step, run);
    case 'norm':
    case 'normScale':
    case 'normByScale':
      return norm(step, run);
    case 'normWeight':
      return normWeight(step, run);
    case 'activation': {
      const [grad, x] = [run.tensor(step.reads.grad), run.tensor(step.reads.input)];
      const slope = activationSlope[step.kind];
      return map(run.tensor(step.output), (i) => grad[i]! * slope(x[i]!));
    }
    case 'embed':
      return embed(step, run);
    case 'selectRows': {
      const [grad, output] = [run.tensor(step.reads.grad), run.tensor(step.output).fill(0)];
      const n = widthOf(run.plan.tensors.get(step.output)!);
      for (const [i, row] of run.batch.logitRows.entries())
        for (let j = 0; j < n; j++) output[row * n + j]! += grad[i * n + j]!;
      return;
    }
    case 'rotate':
      return rotate(step, run);
    case 'attentionMix':
    case 'attentionScores':
    case 'keys':
    case 'bias':
      return attention(step, run);
    case 'maskedSoftmax':
      return maskedSoftmax(step, run);
    case 'cacheAppend': {
      const { nHead, headDim, [step.part]: kept } = run.cache(step.source);
      const width = nHead * headDim;
      const output = run.tensor(step.output);
      for (const [r, { place }] of run.places(step.source).entries())
        output.set(kept.subarray(place * width, (place + 1) * width), r * width);
      return;
    }
    case 'edit': {
      const output = run.tensor(step.output);
      output.set(run.tensor(step.reads.grad));
      const edits = step.edits.flatMap((one) =>
        one.kind === 'set' ? [{ ...one, values: 0 }] : one.kind === 'scale' ? [one] : [],
      );
      return applyEdits(edits, run.plan.tensors.get(step.output)!, run.batch, run.sizes, output);
    }
    case 'crossEntropy':
      return crossEntropy(step, run);
    case 'pointLoss':
      return pointLoss(step, run);
    default:
      return step satisfies never;
  }
}

type Of<Name extends Adjoint['of']> = Extract<Adjoint, { of: Name }>;

function map(output: Float32Array, f: (i: number) => number): void {
  for (let i = 0; i < output.length; i++) output[i] = f(i);
}

/** Rows of several tensors side by side, in double precision. */
function sideBySide(names: readonly string[], rows: number, run: AdjointRun): { width: number; values: Float64Array } {
  const parts = names.map((name) => run.tensor(name));
  const widths = parts.map(({ length }) => length / rows);
  const width = widths.reduce((a, b) => a + b, 0);
  const values = new Float64Array(rows * width);
  let at = 0;
  for (const [i, part] of parts.entries()) {
    const own = widths[i]!;
    for (let r = 0; r < rows; r++) values.set(part.subarray(r * own, (r + 1) * own), r * width + at);
    at += own;
  }
  return { width, values };
}

/** Adds n values times a factor to sums. */
function addTimes(n: number, factor: number, from: Float32Array, start: number, sums: Float64Array, at: number): void {
  for (let i = 0; i < n; i++) sums[at + i]! += factor * from[start + i]!;
}

function dot(n: number, a: Float32Array, at: number, b: Float32Array, start: number): number {
  let sum = 0;
  for (let i = 0; i < n; i++) sum += a[at + i]! * b[start + i]!;
  return sum;
}

function linear({ reads, weight, output }: Of<'linear'>, run: AdjointRun): void {
  const { spec, format, packed, stride } = run.weight(weight);
  const out = run.tensor(output);
  const rows = out.length / spec.columns;
  const { width, values } = sideBySide(reads.grads, rows, run);
  const sums = Float64Array.from(reads.residual === undefined ? out.map(() => 0) : run.tensor(reads.residual));
  const row = new Float32Array(stride);
  for (let o = 0; o < spec.rows; o++) {
    unpackRow(format, packed, o, row);
    for (let r = 0; r < rows; r++) {
      const grad = values[r * width + o]!;
      addTimes(spec.columns, grad, row, 0, sums, r * spec.columns);
    }
  }
  out.set(sums);
}

function linearWeight({ reads, output, adds }: Of<'linearWeight'>, run: AdjointRun): void {
  const x = run.tensor(reads.input);
  const rows = x.length / widthOf(run.plan.tensors.get(reads.input)!);
  const nIn = x.length / rows;
  const { width, values } = sideBySide(reads.grads, rows, run);
  const out = run.tensor(output);
  const sums = new Float64Array(nIn);
  for (let o = 0; o < width; o++) {
    sums.fill(0);
    if (adds) sums.set(out.subarray(o * nIn, (o + 1) * nIn));
    for (let r = 0; r < rows; r++) {
      addTimes(nIn, values[r * width + o]!, x, r * nIn, sums, 0);
    }
    out.set(sums, o * nIn);
  }
}

function columnSums({ reads, output, adds }: Of<'columnSums'>, run: AdjointRun): void {
  const out = run.tensor(output);
  const sums = Float64Array.from(adds ? out : out.map(() => 0));
  let first = 0;
  for (const name of reads.grads) {
    const grad = run.tensor(name);
    const width = Math.min(out.length, widthOf(run.plan.tensors.get(name)!));
    for (let i = 0; i < grad.length; i++) sums[first + (i % width)]! += grad[i]!;
    first += width;
  }
  out.set(sums);
}

/** A row's (x - mean) / scale. */
function normed(x: Float32Array, start: number, n: number, scale: number, centred: boolean, h: Float64Array): void {
  let mean = 0;
  if (centred) for (let i = 0; i < n; i++) mean += x[start + i]! / n;
  for (let i = 0; i < n; i++) h[i] = (x[start + i]! - mean) / scale;
}

function norm(step: Of<'norm' | 'normScale' | 'normByScale'>, run: AdjointRun): void {
  const { reads, centred } = step;
  const [grad, x, scale] = [run.tensor(reads.grad), run.tensor(reads.input), run.tensor(reads.scale)];
  const out = run.tensor(step.output);
  const residual = 'residual' in reads && reads.residual !== undefined ? run.tensor(reads.residual) : undefined;
  const gain = 'weight' in step ? (run.weight(step.weight).packed.values as Float32Array) : undefined;
  const n = x.length / scale.length;
  const h = new Float64Array(n);
  const g = new Float64Array(n);
  for (const [r, s] of scale.entries()) {
    const start = r * n;
    normed(x, start, n, s, centred, h);
    if (step.of === 'normScale') {
      for (let i = 0; i < n; i++) out[start + i] = (grad[r]! * h[i]!) / n;
      continue;
    }
    let [mean, along] = [0, 0];
    for (let i = 0; i < n; i++) {
      g[i] = grad[start + i]! * gain![i]!;
      mean += g[i]! / n;
      along += (g[i]! * h[i]!) / n;
    }
    if (step.of === 'normByScale') {
      out[r] = (-along * n) / s;
      continue;
    }
    for (let i = 0; i < n; i++) {
      const own = (g[i]! - (centred ? mean : 0) - (step.fixed ? 0 : h[i]! * along)) / s;
      out[start + i] = own + (residual ? residual[start + i]! : 0);
    }
  }
}

function normWeight({ reads, centred, output, adds }: Of<'normWeight'>, run: AdjointRun): void {
  const [grad, x, scale] = [run.tensor(reads.grad), run.tensor(reads.input), run.tensor(reads.scale)];
  const out = run.tensor(output);
  const sums = Float64Array.from(adds ? out : out.map(() => 0));
  const n = out.length;
  const h = new Float64Array(n);
  for (const [r, s] of scale.entries()) {
    normed(x, r * n, n, s, centred, h);
    for (let i = 0; i < n; i++) sums[i]! += grad[r * n + i]! * h[i]!;
  }
  out.set(sums);
}

function embed({ reads, by, first, scale, padding, output, adds }: Of<'embed'>, run: AdjointRun): void {
  const grad = run.tensor(reads.grad);
  const out = run.tensor(output);
  if (!adds) out.fill(0);
  const n = widthOf(run.plan.tensors.get(reads.grad)!);
  for (const [r, row] of run.batch.rows.entries()) {
    const number = row[by] ?? 0;
    if (number === padding) continue;
    const at = (number + first) * n;
    for (let i = 0; i < n; i++) out[at + i]! += grad[r * n + i]! * scale;
  }
}

function rotate({ reads, weight, output }: Of<'rotate'>, run: AdjointRun): void {
  const { spec, stride, packed } = run.weight(weight);
  const table = packed.values as Float32Array;
  const pairs = spec.columns / 2;
  const [grad, out] = [run.tensor(reads.grad), run.tensor(output)];
  const [, nHead, headDim] = run.plan.tensors.get(output)!.shape as number[];
  out.set(grad);
  for (const [r, { position }] of run.batch.rows.entries()) {
    for (let head = 0; head < nHead!; head++) {
      const start = (r * nHead! + head) * headDim!;
      for (let i = 0; i < pairs; i++) {
        const [cos, sin] = [table[position * stride + i]!, table[position * stride + pairs + i]!];
        const [a, b] = [grad[start + i]!, grad[start + pairs + i]!];
        out[start + i] = a * cos + b * sin;
        out[start + pairs + i] = b * cos - a * sin;
      }
    }
  }
}

function maskedSoftmax({ reads, output }: Of<'maskedSoftmax'>, run: AdjointRun): void {
  const [grad, pattern, out] = [run.tensor(reads.grad), run.tensor(reads.pattern), run.tensor(output)];
  const shape = run.plan.tensors.get(output)!.shape;
  const keys = run.sizes[shape[2] as 'context' | 'source'];
  for (let start = 0; start < out.length; start += keys) {
    let sum = 0;
    for (let i = start; i < start + keys; i++) sum += grad[i]! * pattern[i]!;
    for (let i = start; i < start + keys; i++) out[i] = pattern[i]! * (grad[i]! - sum);
  }
}

/** The keys that a row sees of a head: places [from, to), whose values in [nHead, rows, keys] begin `at` the first. */
interface SeenKeys {
  head: number;
  /** The query among [rows, nHead]; the head of the keys, and of how many there are. */
  query: number;
  keyHead: number;
  keyHeads: number;
  at: number;
  from: number;
  to: number;
  /** The row's own. */
  place: number;
}

/** Calls `visit` for every head of every row. */
function eachRow(
  { source, window = Number.POSITIVE_INFINITY }: { source: string; window?: number },
  nHead: number,
  run: AdjointRun,
  visit: (seen: SeenKeys) => void,
): void {
  const { nHead: keyHeads } = run.cache(source);
  const keys = run.sizes[run.plan.sources.get(source)!.axis === 'source' ? 'source' : 'context'];
  const places = run.places(source);
  for (let head = 0; head < nHead; head++) {
    const keyHead = Math.floor((head * keyHeads) / nHead);
    for (const [row, { place, first, count }] of places.entries()) {
      const skipped = Math.max(0, count - window);
      const at = (head * places.length + row) * keys + skipped;
      const [from, to] = [first + skipped, first + count];
      visit({ head, query: row * nHead + head, keyHead, keyHeads, at, from, to, place });
    }
  }
}

function attention(step: Of<'attentionMix' | 'attentionScores' | 'keys' | 'bias'>, run: AdjointRun): void {
  const { headDim, k, v } = run.cache(step.source);
  switch (step.of) {
    case 'attentionMix': {
      const [grad, out] = [run.tensor(step.reads.grad), run.tensor(step.output).fill(0)];
      const nHead = run.plan.tensors.get(step.output)!.shape[0] as number;
      return eachRow(step, nHead, run, ({ query, keyHead, keyHeads, at, from, to }) => {
        for (let key = from; key < to; key++) {
          const start = (key * keyHeads + keyHead) * headDim;
          out[at + key - from] = dot(headDim, grad, query * headDim, v, start);
        }
      });
    }
    case 'attentionScores': {
      const [grad, out] = [run.tensor(step.reads.grad), run.tensor(step.output)];
      const sums = new Float64Array(out.length);
      const nHead = run.plan.tensors.get(step.output)!.shape[1] as number;
      eachRow(step, nHead, run, ({ query, keyHead, keyHeads, at, from, to }) => {
        for (let key = from; key < to; key++) {
          const start = (key * keyHeads + keyHead) * headDim;
          const factor = grad[at + key - from]! * step.scale;
          addTimes(headDim, factor, k, start, sums, query * headDim);
        }
      });
      return out.set(sums);
    }
    case 'keys': {
      const [weights, vectors] = [run.tensor(step.reads.weights), run.tensor(step.reads.vectors)];
      const { [step.part]: into } = run.cache(step.into);
      const sums = step.adds ? Float64Array.from(into) : new Float64Array(into.length);
      const nHead = run.plan.tensors.get(step.reads.vectors)!.shape[1] as number;
      eachRow(step, nHead, run, ({ query, keyHead, keyHeads, at, from, to }) => {
        for (let key = from; key < to; key++) {
          const start = (key * keyHeads + keyHead) * headDim;
          const factor = weights[at + key - from]! * step.scale;
          addTimes(headDim, factor, vectors, query * headDim, sums, start);
        }
      });
      return into.set(sums);
    }
    case 'bias': {
      const [grad, out] = [run.tensor(step.reads.grad), run.tensor(step.output)];
      const [nHead, columns] = run.plan.tensors.get(step.output)!.shape as [number, number];
      const sums = Float64Array.from(step.adds ? out : out.map(() => 0));
      const most = (columns - 1) / 2;
      eachRow(step, nHead, run, ({ head, at, from, to, place }) => {
        for (let key = from; key < to; key++) {
          const distance = Math.max(-most, Math.min(most, key - place));
          sums[head * columns + most + distance]! += grad[at + key - from]!;
        }
      });
      return out.set(sums);
    }
    default:
      return step satisfies never;
  }
}

function crossEntropy({ reads, losses, output }: Of<'crossEntropy'>, run: AdjointRun): void {
  const { labels, lossScale = 1 } = run.batch;
  const [x, out, lost] = [run.tensor(reads.logits), run.tensor(output), run.tensor(losses)];
  const n = x.length / lost.length;
  for (let r = 0; r < lost.length; r++) {
    const row = x.subarray(r * n, (r + 1) * n);
    const most = row.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
    const sum = row.reduce((total, logit) => total + Math.exp(logit - most), 0);
    const label = labels![r]!;
    lost[r] = most + Math.log(sum) - row[label]!;
    for (let i = 0; i < n; i++) out[r * n + i] = (Math.exp(x[r * n + i]! - most) / sum - +(i === label)) * lossScale;
  }
}

function pointLoss({ reads, kind, losses, output }: Of<'pointLoss'>, run: AdjointRun): void {
  const { labels, lossScale = 1 } = run.batch;
  const [logits, out, lost] = [run.tensor(reads.logits), run.tensor(output), run.tensor(losses)];
  const n = logits.length / lost.length;
  for (let r = 0; r < lost.length; r++) {
    let loss = 0;
    for (let i = r * n; i < (r + 1) * n; i++) {
      const [x, y] = [logits[i]!, labels![i]!];
      if (kind === 'dot') loss += x * y;
      else if (kind === 'squared') loss += (x - y) ** 2;
      else loss += Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))) - x * y;
      const slope = kind === 'dot' ? y : kind === 'squared' ? 2 * (x - y) : 1 / (1 + Math.exp(-x)) - y;
      out[i] = slope * lossScale;
    }
    lost[r] = loss;
  }
}
