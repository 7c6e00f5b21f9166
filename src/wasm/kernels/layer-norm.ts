import { madd, sum } from './simd';
import { Batch, rowAt, rowOf, Step } from './step';
import { nextPiece } from './threads';

/** Layer normalisation (Ba, Kiros & Hinton 2016) over a row, biased variance. */

function meanOf(x: usize, width: i32): f32 {
  let total = f32x4.splat(0);
  // Past the width there are zeros.
  for (let at = x, end = x + ((<usize>width) << 2); at < end; at += 16) total = f32x4.add(total, v128.load(at));
  return sum(total) / <f32>width;
}

function scaleOf(x: usize, width: i32, mean: f32, epsilon: f32): f32 {
  const whole = x + ((<usize>width & ~3) << 2);
  const end = x + ((<usize>width) << 2);
  const means = f32x4.splat(mean);
  let squares = f32x4.splat(0);
  let at = x;
  for (; at < whole; at += 16) {
    const d = f32x4.sub(v128.load(at), means);
    squares = madd(d, d, squares);
  }
  let total = sum(squares);
  for (; at < end; at += 4) total += (load<f32>(at) - mean) * (load<f32>(at) - mean);
  return sqrt<f32>(total / <f32>width + epsilon);
}

/**
 * (x - mean) / scale * weight + bias; the scale is at an address, or computed from x where that is 0. Zeros past the width
 * stay: weight and bias end there.
 */
export function normalize(s: Step, x: usize, scaleAt: usize, to: usize): void {
  const mean = meanOf(x, s.width);
  const means = f32x4.splat(mean);
  const factor = f32x4.splat(1 / (scaleAt ? load<f32>(scaleAt) : scaleOf(x, s.width, mean, s.epsilon)));
  const bytes = (<usize>s.width) << 2;
  for (let i: usize = 0; i < bytes; i += 16) {
    const weight = v128.load(s.normWeight + i);
    const centred = f32x4.mul(f32x4.sub(v128.load(x + i), means), factor);
    v128.store(to + i, madd(centred, weight, v128.load(s.normBias + i)));
  }
}

export function layerNormScale(s: Step, batch: Batch): void {
  for (let r = nextPiece(); r < batch.rows; r = nextPiece()) {
    const x = rowAt(s.input, r, s.width);
    store<f32>(rowAt(s.output, r, 1), scaleOf(x, s.width, meanOf(x, s.width), s.epsilon));
  }
}

export function layerNorm(s: Step, batch: Batch): void {
  for (let r = nextPiece(); r < batch.rows; r = nextPiece()) {
    const scaleAt: usize = s.second ? rowAt(s.second, r, 1) : 0;
    normalize(s, rowAt(s.input, r, s.width), scaleAt, rowAt(s.output, r, s.width));
  }
}
