import { columns, column, finish, inputRow, takeColumns } from './linear';
import { unpack } from './rows';
import { madd, sums } from './simd';
import { Batch, rowsOf, Step, strideOf, Table } from './step';

/** Columns of y computed together, and how much of x's width at once: the weights (24 KB) and two rows of x stay in L1. */
const COLUMNS = 8;
const DEPTH = 768;

/**
 * y = x weightᵀ for many rows, as in prefill: bound by arithmetic. Eight rows of weights are unpacked to floats and used for
 * all rows of x; the innermost tile is two rows by four columns, which fill the registers.
 */
export function linearTile(s: Step, batch: Batch, scratch: usize): void {
  const rows = rowsOf(s, batch);
  const stride = <i32>strideOf(s.width);
  const partial = scratch + COLUMNS * DEPTH * 4; // [rows, COLUMNS]
  while (takeColumns(s, COLUMNS)) {
    for (let from = 0; from < stride; from += DEPTH) {
      const depth = min(DEPTH, stride - from);
      for (let c = 0; c < columns; c++) {
        unpack(changetype<Table>(s.tables), column + c, s.width, from, depth, scratch + ((c * depth) << 2));
      }
      strip(s, batch, rows, scratch, from, depth, columns, partial);
    }
    for (let r = 0; r < rows; r++) {
      const y = partial + r * COLUMNS * 4;
      finish(s, batch, r, 0, min(4, columns), v128.load(y));
      if (columns > 4) finish(s, batch, r, 4, columns - 4, v128.load(y, 16));
    }
  }
}

/** partial [rows, COLUMNS] (+)= x[.., from ..] tileᵀ; tile [count, depth] */
function strip(s: Step, batch: Batch, rows: i32, tile: usize, from: i32, depth: i32, count: i32, partial: usize): void {
  const begin = (<usize>from) << 2;
  const bytes = (<usize>depth) << 2;
  for (let r = 0; r < rows; r += 2) {
    const x0 = inputRow(s, batch, r) + begin;
    const x1 = inputRow(s, batch, min(r + 1, rows - 1)) + begin;
    const y = partial + r * COLUMNS * 4;
    twoByFour(x0, x1, tile, bytes, y, from > 0);
    if (count > 4) twoByFour(x0, x1, tile + 4 * bytes, bytes, y + 16, from > 0);
  }
}

function twoByFour(x0: usize, x1: usize, w0: usize, bytes: usize, y: usize, more: bool): void {
  let w1 = w0 + bytes;
  let w2 = w1 + bytes;
  let w3 = w2 + bytes;
  let a0 = f32x4.splat(0);
  let a1 = a0;
  let a2 = a0;
  let a3 = a0;
  let b0 = a0;
  let b1 = a0;
  let b2 = a0;
  let b3 = a0;
  for (const end = w1; w0 < end; w0 += 32, w1 += 32, w2 += 32, w3 += 32, x0 += 32, x1 += 32) {
    let p = v128.load(x0);
    let q = v128.load(x1);
    let w = v128.load(w0);
    a0 = madd(p, w, a0);
    b0 = madd(q, w, b0);
    w = v128.load(w1);
    a1 = madd(p, w, a1);
    b1 = madd(q, w, b1);
    w = v128.load(w2);
    a2 = madd(p, w, a2);
    b2 = madd(q, w, b2);
    w = v128.load(w3);
    a3 = madd(p, w, a3);
    b3 = madd(q, w, b3);
    p = v128.load(x0, 16);
    q = v128.load(x1, 16);
    w = v128.load(w0, 16);
    a0 = madd(p, w, a0);
    b0 = madd(q, w, b0);
    w = v128.load(w1, 16);
    a1 = madd(p, w, a1);
    b1 = madd(q, w, b1);
    w = v128.load(w2, 16);
    a2 = madd(p, w, a2);
    b2 = madd(q, w, b2);
    w = v128.load(w3, 16);
    a3 = madd(p, w, a3);
    b3 = madd(q, w, b3);
  }
  let a = sums(a0, a1, a2, a3);
  let b = sums(b0, b1, b2, b3);
  if (more) {
    a = f32x4.add(a, v128.load(y));
    b = f32x4.add(b, v128.load(y, 32));
  }
  v128.store(y, a);
  v128.store(y, b, 32);
}
