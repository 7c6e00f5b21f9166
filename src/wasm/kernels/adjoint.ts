import { EIGHT, packSix, SIX, tile } from './panels';
import { unpack } from './rows';
import { Batch, rowAt, rowsOf, Step, strideOf, Table } from './step';
import { nextPiece, threadCount } from './threads';

/**
 * The products of a gradient (src/plan/adjoint.ts), in tiles of 6 by 8 sums. A thread takes 64 columns of some rows, and writes panels
 * [depth, 8] for up to DEPTH terms of the sums at a time.
 */
const COLUMNS = 64;
const DEPTH = 1024;

/** Parts of an output's rows, where its columns alone are too few pieces for all threads: low ranks have eight. */
function partsOf(rows: i32, columns: i32): i32 {
  return max(1, min((threadCount() * 4) / columns, (rows + 47) / 48));
}

/** Rows of a part, whole tiles. */
function sizeOf(rows: i32, parts: i32): i32 {
  return (((rows + parts - 1) / parts + SIX - 1) / SIX) * SIX;
}

/** output [rows, keyWidth] = input [rows, width] · rows `places` .. `places + width` of the weight [.., keyWidth], + second */
export function linearBack(s: Step, batch: Batch, scratch: usize): void {
  const rows = rowsOf(s, batch);
  const six = scratch + SIX * EIGHT * 4;
  const row = six + SIX * DEPTH * 4;
  const panels = row + COLUMNS * 4;
  const columns = (s.keyWidth + COLUMNS - 1) / COLUMNS;
  const parts = partsOf(rows, columns);
  const size = sizeOf(rows, parts);
  for (let piece = nextPiece(columns * parts); piece >= 0; piece = nextPiece(columns * parts)) {
    const c = (piece / parts) * COLUMNS;
    const start = (piece % parts) * size;
    const end = min(rows, start + size);
    for (let from = 0; from < s.width; from += DEPTH) {
      const depth = min(DEPTH, s.width - from);
      for (let d = 0; d < depth; d++) {
        unpack(changetype<Table>(s.tables), s.places + from + d, s.keyWidth, c, COLUMNS, row);
        spread(row, panels + <usize>d * EIGHT * 4, depth);
      }
      const before = from > 0 ? s.output : s.second;
      for (let r = start; r < end; r += SIX) {
        const x0 = gradRow(s, r, rows, from);
        const x1 = gradRow(s, r + 1, rows, from);
        const x2 = gradRow(s, r + 2, rows, from);
        const x3 = gradRow(s, r + 3, rows, from);
        const x4 = gradRow(s, r + 4, rows, from);
        packSix(x0, x1, x2, x3, x4, gradRow(s, r + 5, rows, from), depth, six);
        multiply(six, SIX * 4, panels, depth, scratch, s, r, min(SIX, end - r), c, before);
      }
    }
  }
}

/** output [.., keyWidth], its rows from `places` on: input [rows, width] transposed · second [rows, keyWidth], + itself where `kind` */
export function linearWeight(s: Step, batch: Batch, scratch: usize): void {
  const rows = rowsOf(s, batch);
  const panels = scratch + SIX * EIGHT * 4;
  const bytes = strideOf(s.width) << 2;
  const columns = (s.keyWidth + COLUMNS - 1) / COLUMNS;
  const parts = partsOf(s.width, columns);
  const size = sizeOf(s.width, parts);
  for (let piece = nextPiece(columns * parts); piece >= 0; piece = nextPiece(columns * parts)) {
    const c = (piece / parts) * COLUMNS;
    const start = (piece % parts) * size;
    const end = min(s.width, start + size);
    for (let from = 0; from < rows; from += DEPTH) {
      const depth = min(DEPTH, rows - from);
      for (let d = 0; d < depth; d++) {
        spread(rowAt(s.second, from + d, s.keyWidth) + ((<usize>c) << 2), panels + <usize>d * EIGHT * 4, depth);
      }
      const before = from > 0 || s.kind ? s.output : 0;
      for (let o = start; o < end; o += SIX) {
        const six = rowAt(s.input, from, s.width) + ((<usize>o) << 2);
        multiply(six, bytes, panels, depth, scratch, s, s.places + o, min(SIX, end - o), c, before);
      }
    }
  }
}

function gradRow(s: Step, r: i32, rows: i32, from: i32): usize {
  return rowAt(s.input, min(r, rows - 1), s.width) + ((<usize>from) << 2);
}

/** 64 floats to a row of each of eight panels. */
function spread(from: usize, to: usize, depth: i32): void {
  const panel = <usize>depth * EIGHT * 4;
  for (const end = from + COLUMNS * 4; from < end; from += 32, to += panel) {
    v128.store(to, v128.load(from));
    v128.store(to, v128.load(from, 16), 16);
  }
}

/** Rows r .. r + count of the output, up to 64 columns from c on: six values times the panels, + `before` at the same place. */
function multiply(
  six: usize,
  bytes: usize,
  panels: usize,
  depth: i32,
  y: usize,
  s: Step,
  r: i32,
  count: i32,
  c: i32,
  before: usize,
): void {
  const stride = strideOf(s.keyWidth) << 2;
  let at = rowAt(0, r, s.keyWidth) + ((<usize>c) << 2);
  const columns = min(COLUMNS, (s.keyWidth - c + EIGHT - 1) & ~(EIGHT - 1));
  for (const end = at + columns * 4; at < end; at += 32, panels += <usize>depth * EIGHT * 4) {
    tile(six, bytes, panels, depth, y);
    let to = at;
    for (let i = 0; i < count; i++, to += stride) {
      let low = v128.load(y + i * 32);
      let high = v128.load(y + i * 32, 16);
      if (before) {
        low = f32x4.add(low, v128.load(before + to));
        high = f32x4.add(high, v128.load(before + to, 16));
      }
      v128.store(s.output + to, low);
      v128.store(s.output + to, high, 16);
    }
  }
}
