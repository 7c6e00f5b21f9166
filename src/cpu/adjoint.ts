import { activationSlope } from '../plan/activation-slope.ts';
import type { Adjoint } from '../plan/adjoint.ts';
import { applyEdits } from '../plan/apply-edits.ts';
import { unpackRow } from '../plan/formats.ts';
import { answerLoss } from './adjoint-answers.ts';
import { addTimes, dot, eachRow } from './each-row.ts';
import { turn } from './rotate.ts';
import { type Run, vector, widthIn } from './run.ts';

/** The reference of every adjoint: sums in float64. What each computes is said in src/plan/adjoint.ts. */
export function adjoint(step: Adjoint, run: Run): void {
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
      const n = widthIn(step.output, run);
      for (const [i, row] of run.batch.logitRows.entries())
        for (let j = 0; j < n; j++) output[row * n + j]! += grad[i * n + j]!;
      return;
    }
    case 'rotate':
      return turn({ input: step.reads.grad, table: step.weight, output: step.output }, -1, run);
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
function sideBySide(names: readonly string[], rows: number, run: Run): { width: number; values: Float64Array } {
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

function linear({ reads, weight, output, slope }: Of<'linear'>, run: Run): void {
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
  if (!slope) return;
  const x = run.tensor(reads.input!);
  for (let i = 0; i < out.length; i++) out[i]! *= activationSlope[slope](x[i]!);
}

function linearWeight({ reads, output, adds }: Of<'linearWeight'>, run: Run): void {
  const x = run.tensor(reads.input);
  const rows = x.length / widthIn(reads.input, run);
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

function columnSums({ reads, output, adds }: Of<'columnSums'>, run: Run): void {
  const out = run.tensor(output);
  const sums = Float64Array.from(adds ? out : out.map(() => 0));
  let first = 0;
  for (const name of reads.grads) {
    const grad = run.tensor(name);
    const width = Math.min(out.length, widthIn(name, run));
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

function norm(step: Of<'norm' | 'normScale' | 'normByScale'>, run: Run): void {
  const { reads, centred } = step;
  const [grad, x, scale] = [run.tensor(reads.grad), run.tensor(reads.input), run.tensor(reads.scale)];
  const out = run.tensor(step.output);
  const residual = 'residual' in reads && reads.residual !== undefined ? run.tensor(reads.residual) : undefined;
  const gain = 'weight' in step ? vector(step.weight, run) : undefined;
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

function normWeight({ reads, centred, output, adds }: Of<'normWeight'>, run: Run): void {
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

function embed({ reads, by, first, scale, padding, output, adds }: Of<'embed'>, run: Run): void {
  const grad = run.tensor(reads.grad);
  const out = run.tensor(output);
  if (!adds) out.fill(0);
  const n = widthIn(reads.grad, run);
  for (const [r, row] of run.batch.rows.entries()) {
    const number = row[by] ?? 0;
    if (number === padding) continue;
    const at = (number + first) * n;
    for (let i = 0; i < n; i++) out[at + i]! += grad[r * n + i]! * scale;
  }
}

function maskedSoftmax({ reads, output }: Pick<Of<'maskedSoftmax'>, 'reads' | 'output'>, run: Run): void {
  const [grad, pattern, out] = [run.tensor(reads.grad), run.tensor(reads.pattern), run.tensor(output)];
  const shape = run.plan.tensors.get(output)!.shape;
  const keys = run.sizes[shape[2] as 'context' | 'source'];
  for (let start = 0; start < out.length; start += keys) {
    let sum = 0;
    for (let i = start; i < start + keys; i++) sum += grad[i]! * pattern[i]!;
    for (let i = start; i < start + keys; i++) out[i] = pattern[i]! * (grad[i]! - sum);
  }
}

function attention(step: Of<'attentionMix' | 'attentionScores' | 'keys' | 'bias'>, run: Run): void {
  const { headDim, k, v } = run.cache(step.source);
  const shapeOf = (name: string) => run.plan.tensors.get(name)!.shape as number[];
  switch (step.of) {
    case 'attentionMix': {
      const [grad, out] = [run.tensor(step.reads.grad), run.tensor(step.output).fill(0)];
      eachRow(step, shapeOf(step.output)[0]!, run, ({ query, count, at, start, stride }) => {
        for (let i = 0; i < count; i++) out[at + i] = dot(headDim, grad, query * headDim, v, start + i * stride);
      });
      const { pattern } = step.reads;
      if (pattern !== undefined) maskedSoftmax({ reads: { grad: step.output, pattern }, output: step.output }, run);
      return;
    }
    case 'attentionScores': {
      const [grad, out] = [run.tensor(step.reads.grad), run.tensor(step.output)];
      const sums = new Float64Array(out.length);
      eachRow(step, shapeOf(step.output)[1]!, run, ({ query, count, at, start, stride }) => {
        for (let i = 0; i < count; i++)
          addTimes(headDim, grad[at + i]! * step.scale, k, start + i * stride, sums, query * headDim);
      });
      return out.set(sums);
    }
    case 'keys': {
      const [weights, vectors] = [run.tensor(step.reads.weights), run.tensor(step.reads.vectors)];
      const { [step.part]: into } = run.cache(step.into);
      const sums = step.adds ? Float64Array.from(into) : new Float64Array(into.length);
      eachRow(step, shapeOf(step.reads.vectors)[1]!, run, ({ query, count, at, start, stride }) => {
        for (let i = 0; i < count; i++)
          addTimes(headDim, weights[at + i]! * step.scale, vectors, query * headDim, sums, start + i * stride);
      });
      return into.set(sums);
    }
    case 'bias': {
      const [grad, out] = [run.tensor(step.reads.grad), run.tensor(step.output)];
      const [nHead, columns] = shapeOf(step.output) as [number, number];
      const sums = Float64Array.from(step.adds ? out : out.map(() => 0));
      const most = (columns - 1) / 2;
      eachRow(step, nHead, run, ({ head, count, at, distance }) => {
        for (let i = 0; i < count; i++) {
          const column = most + Math.max(-most, Math.min(most, distance + i));
          sums[head * columns + column]! += grad[at + i]!;
        }
      });
      return out.set(sums);
    }
    default:
      return step satisfies never;
  }
}

function crossEntropy({ reads, losses, output }: Of<'crossEntropy'>, run: Run): void {
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

function pointLoss({ reads, kind, losses, output }: Of<'pointLoss'>, run: Run): void {
  const { labels, lossScale = 1 } = run.batch;
  const [logits, out, lost] = [run.tensor(reads.logits), run.tensor(output), run.tensor(losses)];
  if (kind === 'answers') return answerLoss(logits, labels!, { out, lost, lossScale });
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
