import { keyRow, loadQuery, mix, mostKeys, outputAt, rowExponentials, scores, seen, taken } from './attention';
import { activate } from './activation';
import { storeLanes } from './linear';
import { loadAngles } from './rows';
import { erf4, exp4, madd, sum } from './simd';
import {
  Activation,
  Batch,
  countOf,
  firstOf,
  headStride,
  keysAt,
  placeOf,
  Row,
  rowAt,
  rowOf,
  rowsOf,
  Step,
  strideOf,
} from './step';
import { nextPiece } from './threads';

/** Adjoints that are no products of matrices (src/plan/adjoint.ts): a thread takes rows, heads, or columns of all rows. */

/** The derivative of an activation. */
function slope(kind: i32, x: v128): v128 {
  const one = f32x4.splat(1);
  switch (kind) {
    case Activation.gelu_new: {
      // x s(u), where s is the logistic function and u = 2 sqrt(2 / pi) (x + 0.044715 x³)
      const square = f32x4.mul(x, x);
      const factor = f32x4.splat(1.5957691216057308);
      const u = f32x4.mul(f32x4.mul(factor, x), madd(square, f32x4.splat(0.044715), one));
      const s = f32x4.div(one, f32x4.add(one, exp4(f32x4.neg(u))));
      const inner = f32x4.mul(f32x4.mul(factor, x), madd(square, f32x4.splat(0.134145), one));
      return f32x4.mul(s, madd(inner, f32x4.sub(one, s), one));
    }
    case Activation.gelu: {
      // Φ(x) + x φ(x); Φ(x) is 1 + erf(x / sqrt(2)), halved
      const density = f32x4.mul(exp4(f32x4.mul(f32x4.mul(x, x), f32x4.splat(-0.5))), f32x4.splat(0.3989422804014327));
      const below = madd(erf4(f32x4.mul(x, f32x4.splat(0.70710678118654752))), f32x4.splat(0.5), f32x4.splat(0.5));
      return madd(x, density, below);
    }
    case Activation.relu:
      return v128.and(one, f32x4.gt(x, f32x4.splat(0)));
    case Activation.silu: {
      const s = f32x4.div(one, f32x4.add(one, exp4(f32x4.neg(x))));
      return f32x4.mul(s, madd(x, f32x4.sub(one, s), one));
    }
    case Activation.tanh: {
      const t = activate(kind, x);
      return f32x4.sub(one, f32x4.mul(t, t));
    }
    default:
      return one;
  }
}

/** output = input * the derivative at second */
export function activationBack(s: Step, batch: Batch): void {
  const bytes = strideOf(s.width) << 2;
  for (let r = nextPiece(rowsOf(s, batch)); r >= 0; r = nextPiece(rowsOf(s, batch))) {
    const at = rowAt(0, r, s.width);
    for (let i = at; i < at + bytes; i += 16) {
      v128.store(s.output + i, f32x4.mul(v128.load(s.input + i), slope(s.kind, v128.load(s.second + i))));
    }
  }
}

/** Of a norm, to its input: `gate` is the gradient, `second` the scales, `tables` what is added; `kind`: the scale is fixed. */
export function normBack(s: Step, batch: Batch): void {
  const n = s.width / s.nHead;
  for (let r = nextPiece(rowsOf(s, batch)); r >= 0; r = nextPiece(rowsOf(s, batch))) {
    const at = rowAt(0, r, s.width);
    for (let head = 0; head < s.nHead; head++) {
      const scale = load<f32>(rowAt(s.second, r, s.nHead) + ((<usize>head) << 2));
      normBackOne(s, at + ((<usize>(head * n)) << 2), n, 1 / scale);
    }
  }
}

function normBackOne(s: Step, at: usize, n: i32, factor: f32): void {
  const whole = (<usize>n & ~3) << 2;
  const end = (<usize>n) << 2;
  let mean: f32 = 0;
  if (s.centred) {
    let total = f32x4.splat(0);
    for (let i: usize = 0; i < whole; i += 16) total = f32x4.add(total, v128.load(s.input + at + i));
    mean = sum(total);
    for (let i = whole; i < end; i += 4) mean += load<f32>(s.input + at + i);
    mean /= <f32>n;
  }
  const means = f32x4.splat(mean);
  const factors = f32x4.splat(factor);
  let all = f32x4.splat(0);
  let along = all;
  for (let i: usize = 0; i < whole; i += 16) {
    const g = f32x4.mul(v128.load(s.gate + at + i), v128.load(s.normWeight + i));
    all = f32x4.add(all, g);
    along = madd(g, f32x4.mul(f32x4.sub(v128.load(s.input + at + i), means), factors), along);
  }
  let g0 = sum(all);
  let g1 = sum(along);
  for (let i = whole; i < end; i += 4) {
    const g = load<f32>(s.gate + at + i) * load<f32>(s.normWeight + i);
    g0 += g;
    g1 += g * (load<f32>(s.input + at + i) - mean) * factor;
  }
  const less: f32 = s.centred ? g0 / <f32>n : 0;
  const turn: f32 = s.kind ? 0 : g1 / <f32>n;
  for (let i: usize = 0; i < end; i += 16) {
    const g = f32x4.mul(v128.load(s.gate + at + i), v128.load(s.normWeight + i));
    const h = f32x4.mul(f32x4.sub(v128.load(s.input + at + i), means), factors);
    let value = f32x4.sub(f32x4.sub(g, f32x4.splat(less)), f32x4.mul(h, f32x4.splat(turn)));
    value = f32x4.mul(value, factors);
    if (s.tables) value = f32x4.add(value, v128.load(s.tables + at + i));
    storeLanes(s.output + at + i, value, min(4, n - <i32>(i >> 2)));
  }
}

/** output = second * (input - Σ over keys of second * input), [nHead, rows, keys] */
export function softmaxBack(s: Step, batch: Batch): void {
  for (let piece = nextPiece(s.nHead * batch.rows); piece >= 0; piece = nextPiece(s.nHead * batch.rows)) {
    const at = rowAt(0, piece, s.keyWidth);
    const end = at + ((<usize>mostKeys(s, batch)) << 2);
    let total = f32x4.splat(0);
    for (let i = at; i < end; i += 16) total = madd(v128.load(s.input + i), v128.load(s.second + i), total);
    const sums = f32x4.splat(sum(total));
    for (let i = at; i < end; i += 16) {
      v128.store(s.output + i, f32x4.mul(v128.load(s.second + i), f32x4.sub(v128.load(s.input + i), sums)));
    }
  }
}

/** output [nHead, rows, keys] = input [rows, nHead, headDim] · the values that a row sees, 0 beyond */
export function mixBack(s: Step, batch: Batch, scratch: usize): void {
  for (let piece = nextPiece(s.nHead * batch.rows); piece >= 0; piece = nextPiece(s.nHead * batch.rows)) {
    const head = piece / batch.rows;
    const r = piece - head * batch.rows;
    const row = rowOf(batch, r);
    const output = keyRow(s, batch, s.output, head, r);
    const count = countOf(s, row);
    loadQuery(s, r, head, scratch);
    scores(s, scratch, seen(s, row, head, s.values), count, output);
    zero(output, count, mostKeys(s, batch));
    zero(output, 0, skippedOf(s, row));
  }
}

/** The first of a row's keys that it does not see: those before its window. */
function skippedOf(s: Step, row: Row): i32 {
  return s.masked ? max(0, countOf(s, row) - s.masked) : 0;
}

function zero(x: usize, from: i32, to: i32): void {
  if (to > from) memory.fill(x + ((<usize>from) << 2), 0, (<usize>(to - from)) << 2);
}

/** output [rows, nHead, headDim] = scale Σ over keys of input [nHead, rows, keys] * keys */
export function scoresBack(s: Step, batch: Batch): void {
  for (let piece = nextPiece(s.nHead * batch.rows); piece >= 0; piece = nextPiece(s.nHead * batch.rows)) {
    const head = piece / batch.rows;
    const r = piece - head * batch.rows;
    const row = rowOf(batch, r);
    mix(
      s,
      keyRow(s, batch, s.input, head, r),
      seen(s, row, head, s.keys),
      countOf(s, row),
      s.scale,
      outputAt(s, r, head),
    );
  }
}

/** Floats of a head that a thread takes of all places. */
const DIMS = 16;

/** Places of a part of a source (`keys`): scale Σ over rows and heads of input [nHead, rows, keys] * second [rows, nHead, headDim], + itself where `kind` */
export function keysBack(s: Step, batch: Batch): void {
  const stride = <i32>headStride(s.headDim);
  const perHead = (stride + DIMS - 1) / DIMS;
  for (let piece = nextPiece(s.keyHeads * perHead); piece >= 0; piece = nextPiece(s.keyHeads * perHead)) {
    const keyHead = piece / perHead;
    const first = (piece - keyHead * perHead) * DIMS;
    const dims = min(DIMS, stride - first);
    const at = keysAt(s.keys, s, keyHead, 0) + ((<usize>first) << 2);
    if (!s.kind) for (let p = 0; p < s.places; p++) memory.fill(at + <usize>p * s.keyBytes, 0, (<usize>dims) << 2);
    const heads = s.nHead / s.keyHeads;
    for (let head = keyHead * heads; head < (keyHead + 1) * heads; head++) {
      for (let r = 0; r < batch.rows; r++) {
        const row = rowOf(batch, r);
        const vector = rowAt(s.second, r, s.nHead * s.headDim) + ((<usize>(head * s.headDim + first)) << 2);
        const skipped = skippedOf(s, row);
        const count = countOf(s, row) - skipped;
        const weights = rowAt(s.input, head * batch.rows + r, s.keyWidth) + ((<usize>skipped) << 2);
        const to = at + <usize>(firstOf(s, row) + skipped) * s.keyBytes;
        if (dims == DIMS) addOuter(weights, count, vector, to, s.keyBytes, s.scale);
        else
          for (let i = 0; i < dims; i += 4) {
            addOuterFour(weights, count, vector + (i << 2), to + (i << 2), s.keyBytes, s.scale);
          }
      }
    }
  }
}

/** Adds to each of so many places its weight times sixteen floats. */
function addOuter(weights: usize, count: i32, vector: usize, to: usize, bytes: usize, scale: f32): void {
  const factor = f32x4.splat(scale);
  const v0 = f32x4.mul(v128.load(vector), factor);
  const v1 = f32x4.mul(v128.load(vector, 16), factor);
  const v2 = f32x4.mul(v128.load(vector, 32), factor);
  const v3 = f32x4.mul(v128.load(vector, 48), factor);
  for (const end = weights + ((<usize>count) << 2); weights < end; weights += 4, to += bytes) {
    const w = v128.load_splat<f32>(weights);
    v128.store(to, madd(w, v0, v128.load(to)));
    v128.store(to, madd(w, v1, v128.load(to, 16)), 16);
    v128.store(to, madd(w, v2, v128.load(to, 32)), 32);
    v128.store(to, madd(w, v3, v128.load(to, 48)), 48);
  }
}

function addOuterFour(weights: usize, count: i32, vector: usize, to: usize, bytes: usize, scale: f32): void {
  const v = f32x4.mul(v128.load(vector), f32x4.splat(scale));
  for (const end = weights + ((<usize>count) << 2); weights < end; weights += 4, to += bytes) {
    v128.store(to, madd(v128.load_splat<f32>(weights), v, v128.load(to)));
  }
}

/** output [rows, keyHeads, headDim] = what a source has at the rows' places (`keys`) */
export function appendBack(s: Step, batch: Batch): void {
  const bytes = (<usize>s.headDim) << 2;
  for (let r = nextPiece(batch.rows); r >= 0; r = nextPiece(batch.rows)) {
    const place = placeOf(s, rowOf(batch, r));
    const to = rowAt(s.output, r, s.keyHeads * s.headDim);
    for (let head = 0; head < s.keyHeads; head++) memory.copy(to + head * bytes, keysAt(s.keys, s, head, place), bytes);
  }
}

/** output [rows, width] = input [logitRows, width] in the rows that were selected, else 0; a thread takes 64 columns */
export function selectBack(s: Step, batch: Batch): void {
  for (let c = nextPiece(<i32>(strideOf(s.width) >> 6)); c >= 0; c = nextPiece(<i32>(strideOf(s.width) >> 6))) {
    const column = (<usize>c) << 8;
    for (let r = 0; r < batch.rows; r++) memory.fill(rowAt(s.output, r, s.width) + column, 0, 256);
    for (let i = 0; i < batch.logitRows; i++) {
      const from = rowAt(s.input, i, s.width) + column;
      const to = rowAt(s.output, rowOf(batch, i).logitRow, s.width) + column;
      for (let b: usize = 0; b < 256; b += 16) v128.store(to + b, f32x4.add(v128.load(to + b), v128.load(from + b)));
    }
  }
}

/** output = input, each head's first pairs turned back */
export function rotateBack(s: Step, batch: Batch, angles: usize): void {
  const half = (<usize>s.pairs) << 2;
  for (let r = nextPiece(batch.rows); r >= 0; r = nextPiece(batch.rows)) {
    loadAngles(s, rowOf(batch, r).position, angles);
    memory.copy(rowAt(s.output, r, s.width), rowAt(s.input, r, s.width), (<usize>s.width) << 2);
    for (let head = 0; head < s.nHead; head++) {
      const y = rowAt(s.output, r, s.width) + ((<usize>(head * s.headDim)) << 2);
      for (let i: usize = 0; i < half; i += 4) {
        const cos = load<f32>(angles + i);
        const sin = load<f32>(angles + half + i);
        const a = load<f32>(y + i);
        const b = load<f32>(y + half + i);
        store<f32>(y + i, a * cos + b * sin);
        store<f32>(y + half + i, b * cos - a * sin);
      }
    }
  }
}

/** output [keyWidth], from `places` on: input [rows, width] summed over rows and what of a row repeats, + itself where `kind` */
export function columnSums(s: Step, batch: Batch): void {
  const n = min(s.keyWidth, s.width);
  const pieces = (n + 15) / 16;
  for (let piece = nextPiece(pieces); piece >= 0; piece = nextPiece(pieces)) {
    const c = piece * 16;
    const end = min(c + 16, n);
    for (let i = c; i < end; i++) {
      const to = s.output + ((<usize>(s.places + i)) << 2);
      let total: f64 = s.kind ? load<f32>(to) : 0;
      for (let r = 0; r < rowsOf(s, batch); r++) {
        const from = rowAt(s.input, r, s.width);
        for (let j = i; j < s.width; j += n) total += load<f32>(from + ((<usize>j) << 2));
      }
      store<f32>(to, <f32>total);
    }
  }
}

/** Of what is above 0: a line through the bits, and twice Halley's step. The compiler's own wants a table in memory. */
function logarithm(x: f32): f32 {
  let y = (<f32>reinterpret<i32>(x) * 1.1920929e-7 - 126.942695) * 0.6931472;
  for (let i = 0; i < 2; i++) {
    const e = f32x4.extract_lane(exp4(f32x4.splat(y)), 0);
    y += (2 * (x - e)) / (x + e);
  }
  return y;
}

/**
 * Softmax cross-entropy of input [logitRows, width], in place or not: `second` are the losses, at `tables` lie the gradient's factor
 * and each row's label.
 */
export function crossEntropy(s: Step, batch: Batch): void {
  const scale = load<f32>(s.tables);
  for (let r = nextPiece(batch.logitRows); r >= 0; r = nextPiece(batch.logitRows)) {
    const x = rowAt(s.input, r, s.width);
    const y = rowAt(s.output, r, s.width);
    const at = (<usize>load<f32>(s.tables + ((<usize>(r + 1)) << 2))) << 2;
    const wanted = load<f32>(x + at);
    const total = rowExponentials(x, s.width, y);
    store<f32>(rowAt(s.second, r, 1), logarithm(total) + taken - wanted);
    const factor = f32x4.splat(scale / total);
    const bytes = (<usize>s.width) << 2;
    for (let i: usize = 0; i < bytes; i += 16) v128.store(y + i, f32x4.mul(v128.load(y + i), factor));
    store<f32>(y + at, load<f32>(y + at) - scale);
  }
}
