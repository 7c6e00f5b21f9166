import { packDigits, packWeights, ROW_BLOCK, rowsOfTile, tileOfFours, tileOfPairs } from './integer-tiles';
import {
  blockOfRows,
  column,
  columns,
  finishPanel,
  finishTile,
  inputRow,
  panelAt,
  takeColumns,
  totalColumns,
  touchWeights,
} from './linear';
import { EIGHT, FOUR, packFour, packSix, SIX, tile, tileOfFour } from './panels';
import { Batch, rowsOf, Step, strideOf, Table, TILE_BYTES } from './step';
import { threadCount } from './threads';

/**
 * y = x weightᵀ for many rows, as in prefill: bound by arithmetic. A thread takes a block of rows, which it writes in panels of
 * six, and some columns, which it multiplies by eight. T is what is multiplied: f32, or by integer-tiles.ts i16 or i8.
 */
export function linearTile<T>(s: Step, batch: Batch, scratch: usize): void {
  const rows = rowsOf(s, batch);
  const tileRows = isFloat<T>() ? SIX : rowsOfTile<T>();
  const depth = isFloat<T>() ? (s.width + 3) & ~3 : <i32>(strideOf(s.width) >> 5);
  const group: usize = tileRows * <usize>depth * (isFloat<T>() ? 4 : ROW_BLOCK);
  const y = scratch; // [rows of a tile, EIGHT]
  const weights = y + SIX * EIGHT * 4; // a panel of eight columns
  const x = weights + 16 * 4 * strideOf(s.width);
  // The panels of a block stay in the L2 cache, or near.
  const fitting = max(1, TILE_BYTES / <i32>group) * tileRows;
  const blocks = (rows + fitting - 1) / fitting;
  const size = (((rows + blocks - 1) / blocks + tileRows - 1) / tileRows) * tileRows;
  const most = max(EIGHT, ((totalColumns(s) * blocks) / (threadCount() * 12)) & ~(EIGHT - 1));
  let packed = -1; // the block whose rows are in x
  while (takeColumns(s, most, blocks)) {
    const from = blockOfRows * size;
    const end = min(rows, from + size);
    if (packed != blockOfRows) {
      if (isFloat<T>()) packRows(s, batch, from, end, depth, x);
      else packIntegers<T>(s, batch, from, end, depth, x);
    }
    packed = blockOfRows;
    if (isFloat<T>()) {
      for (let c = -(column & (EIGHT - 1)); c < columns; c += EIGHT) {
        tilesOfFloats(s, batch, c, from, end, depth, x, panelAt(s, column + c, depth, weights), y);
      }
      continue;
    }
    for (let c = 0; c < columns; c += EIGHT) {
      const count = min(EIGHT, columns - c);
      touchWeights(s, column + c, count, y);
      packWeights<T>(changetype<Table>(s.tables), column + c, count, s.width, weights);
      let panel = x;
      for (let r = from; r < end; r += tileRows, panel += group) {
        if (sizeof<T>() == 2) tileOfPairs(panel, weights, depth, y);
        else tileOfFours(panel, weights, depth, y);
        finishTile(s, batch, r, min(tileRows, end - r), c, count, y);
      }
    }
  }
}

/** The end of those of some rows that are taken by six; the others are taken by four, so that as few as can be are computed for nothing. */
function endOfSixes(from: i32, end: i32): i32 {
  const rest = (end - from) % SIX;
  if (rest == 0 || rest == 5) return end;
  return rest > 2 ? end - rest : max(from, end - rest - SIX);
}

function tilesOfFloats(
  s: Step,
  batch: Batch,
  c: i32,
  from: i32,
  end: i32,
  depth: i32,
  x: usize,
  weights: usize,
  y: usize,
): void {
  const bytes = (<usize>depth) << 2;
  const sixes = endOfSixes(from, end);
  let r = from;
  for (; r < sixes; r += SIX, x += SIX * bytes) {
    tile(x, SIX * 4, weights, depth, y);
    finishPanel(s, batch, r, min(SIX, end - r), c, y);
  }
  for (; r < end; r += FOUR, x += FOUR * bytes) {
    tileOfFour(x, weights, depth, y);
    finishPanel(s, batch, r, min(FOUR, end - r), c, y);
  }
}

function packIntegers<T>(s: Step, batch: Batch, from: i32, end: i32, depth: i32, to: usize): void {
  const tileRows = rowsOfTile<T>();
  for (let r = from; r < end; r += tileRows, to += tileRows * ROW_BLOCK * depth) {
    for (let i = 0; i < tileRows; i++) packDigits<T>(inputRow(s, batch, min(r + i, end - 1)), depth, i, to);
  }
}

/** Rows from .. end of the input; the last one stands in for those beyond. */
function packRows(s: Step, batch: Batch, from: i32, end: i32, depth: i32, to: usize): void {
  const bytes = (<usize>depth) << 2;
  const sixes = endOfSixes(from, end);
  let r = from;
  for (; r < sixes; r += SIX, to += SIX * bytes) {
    const x0 = inputRow(s, batch, r);
    const x1 = inputRow(s, batch, min(r + 1, end - 1));
    const x2 = inputRow(s, batch, min(r + 2, end - 1));
    const x3 = inputRow(s, batch, min(r + 3, end - 1));
    const x4 = inputRow(s, batch, min(r + 4, end - 1));
    packSix(x0, x1, x2, x3, x4, inputRow(s, batch, min(r + 5, end - 1)), depth, to);
  }
  for (; r < end; r += FOUR, to += FOUR * bytes) {
    const x0 = inputRow(s, batch, r);
    const x1 = inputRow(s, batch, min(r + 1, end - 1));
    const x2 = inputRow(s, batch, min(r + 2, end - 1));
    packFour(x0, x1, x2, inputRow(s, batch, min(r + 3, end - 1)), depth, to, FOUR * 4);
  }
}
