import { madd, sum } from './simd';
import { Batch, Op, rowAt, rowsOf, Step } from './step';
import { nextPiece } from './threads';

/** Normalisation of a row: by mean and biased variance, or not centred, by the mean of squares alone. */

function meanOf(s: Step, x: usize): f32 {
  if (!s.centred) return 0;
  const end = x + ((<usize>s.width) << 2);
  let a = f32x4.splat(0);
  let b = a;
  let c = a;
  let d = a;
  // Past the width there are zeros.
  for (; x < end; x += 64) {
    a = f32x4.add(a, v128.load(x));
    b = f32x4.add(b, v128.load(x, 16));
    c = f32x4.add(c, v128.load(x, 32));
    d = f32x4.add(d, v128.load(x, 48));
  }
  return sum(f32x4.add(f32x4.add(a, b), f32x4.add(c, d))) / <f32>s.width;
}

function scaleOf(s: Step, x: usize, mean: f32): f32 {
  const whole = x + ((<usize>s.width & ~7) << 2);
  const end = x + ((<usize>s.width) << 2);
  const means = f32x4.splat(mean);
  let a = f32x4.splat(0);
  let b = a;
  for (; x < whole; x += 32) {
    const first = f32x4.sub(v128.load(x), means);
    const second = f32x4.sub(v128.load(x, 16), means);
    a = madd(first, first, a);
    b = madd(second, second, b);
  }
  let total = sum(f32x4.add(a, b));
  for (; x < end; x += 4) total += (load<f32>(x) - mean) * (load<f32>(x) - mean);
  return sqrt<f32>(total / <f32>s.width + s.epsilon);
}

/**
 * (x - mean) / scale * weight + bias; the scale is at an address, or computed from x where that is 0. Zeros past the width
 * stay: weight and bias end there.
 */
export function normalize(s: Step, x: usize, scaleAt: usize, to: usize): void {
  const mean = meanOf(s, x);
  const means = f32x4.splat(mean);
  const factor = f32x4.splat(1 / (scaleAt ? load<f32>(scaleAt) : scaleOf(s, x, mean)));
  const bytes = (<usize>s.width) << 2;
  for (let i: usize = 0; i < bytes; i += 16) {
    const weight = v128.load(s.normWeight + i);
    const centred = f32x4.mul(f32x4.sub(v128.load(x + i), means), factor);
    v128.store(to + i, madd(centred, weight, s.normBias ? v128.load(s.normBias + i) : f32x4.splat(0)));
  }
}

/** The heads of a row one by one: they may begin and end within a vector. */
function normHeads(s: Step, x: usize, scales: usize, to: usize): void {
  const dims = s.width / s.nHead;
  for (let head = 0; head < s.nHead; head++, x += (<usize>dims) << 2, to += (<usize>dims) << 2) {
    let mean: f32 = 0;
    for (let i = 0; s.centred && i < dims; i++) mean += load<f32>(x + ((<usize>i) << 2)) / <f32>dims;
    let scale: f32 = 0;
    for (let i = 0; i < dims; i++) {
      const d = load<f32>(x + ((<usize>i) << 2)) - mean;
      scale += d * d;
    }
    scale = sqrt<f32>(scale / <f32>dims + s.epsilon);
    if (s.op == Op.normScale) {
      store<f32>(to, scale);
      to += 4 - ((<usize>dims) << 2);
      continue;
    }
    if (scales) scale = load<f32>(scales + ((<usize>head) << 2));
    for (let i: usize = 0; i < (<usize>dims) << 2; i += 4) {
      const value = ((load<f32>(x + i) - mean) / scale) * load<f32>(s.normWeight + i);
      store<f32>(to + i, s.normBias ? value + load<f32>(s.normBias + i) : value);
    }
  }
}

export function normScale(s: Step, batch: Batch): void {
  for (let r = nextPiece(rowsOf(s, batch)); r >= 0; r = nextPiece(rowsOf(s, batch))) {
    const x = rowAt(s.input, r, s.width);
    if (s.nHead > 1) normHeads(s, x, 0, rowAt(s.output, r, s.nHead));
    else store<f32>(rowAt(s.output, r, 1), scaleOf(s, x, meanOf(s, x)));
  }
}

export function norm(s: Step, batch: Batch): void {
  for (let r = nextPiece(rowsOf(s, batch)); r >= 0; r = nextPiece(rowsOf(s, batch))) {
    const scaleAt: usize = s.second ? rowAt(s.second, r, s.nHead) : 0;
    const x = rowAt(s.input, r, s.width);
    const to = rowAt(s.output, r, s.width);
    if (s.nHead > 1) normHeads(s, x, scaleAt, to);
    else normalize(s, x, scaleAt, to);
  }
}
