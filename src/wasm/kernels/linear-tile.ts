import { numbersAt, openPanel, packDigits, ROW_BLOCK, scalesAt } from './digits';
import {
  rowsOfTile,
  tileOfFivePairs,
  tileOfFiveQ8,
  tileOfFourFours,
  tileOfFourPairs,
  tileOfFourQ8,
  tileOfSixFours,
} from './integer-tiles';
import {
  blockOfRows,
  column,
  columns,
  finishPanel,
  inputRow,
  panelAt,
  readyRow,
  takeColumns,
  totalColumns,
} from './linear';
import { EIGHT, FOUR, packFour, packSix, SIX, tile, tileOfFour } from './panels';
import { Batch, CLOSED_ROWS, Format, rowsOf, Step, strideOf, Table, TILE_BYTES } from './step';
import { threadCount } from './threads';

/**
 * y = x weightᵀ for many rows, as in prefill: bound by arithmetic. A thread takes a block of rows, which it writes in panels of
 * as many rows as a tile has, and some columns, which it multiplies by eight. T is what is multiplied: f32, or i16 or i8 (digits.ts).
 */
export function linearTile<T>(s: Step, batch: Batch, scratch: usize): void {
  const rows = rowsOf(s, batch);
  const table = changetype<Table>(s.tables);
  const isQ8 = table.format == Format.q8;
  const isClosed = sizeof<T>() == 2 && isQ8 && rows <= CLOSED_ROWS;
  const tileRows = isFloat<T>() ? SIX : rowsOfTile<T>();
  const depth = isFloat<T>() ? (s.width + 3) & ~3 : <i32>(strideOf(s.width) >> 5);
  const group = tileRows * depth * (isFloat<T>() ? 4 : <i32>ROW_BLOCK);
  const y = scratch; // [rows of a tile, EIGHT]
  const weights = y + SIX * EIGHT * 4; // an open panel
  const x = weights + 16 * 4 * strideOf(s.width);
  // The panels of a block stay in the L2 cache, or near.
  const fitting = max(1, TILE_BYTES / group) * tileRows;
  // Threads that have blocks of their own pack no row twice; what is not f32 is opened once for all rows instead.
  const own = table.format == Format.f32 ? min(threadCount(), rows / 48) : 1;
  const blocks = max(own, (rows + fitting - 1) / fitting);
  const size = (((rows + blocks - 1) / blocks + tileRows - 1) / tileRows) * tileRows;
  const most = max(EIGHT, ((totalColumns(s) * blocks) / (threadCount() * 32)) & ~(EIGHT - 1));
  let packed = -1; // the block whose rows are in x
  let larger = 0;
  while (takeColumns(s, most, blocks)) {
    const from = blockOfRows * size;
    const end = min(rows, from + size);
    if (packed != blockOfRows) {
      larger = endOfLarger<T>(from, end);
      if (isFloat<T>()) packRows(s, batch, from, larger, end, depth, x);
      else packIntegers<T>(s, batch, from, larger, end, depth, x, weights);
    }
    packed = blockOfRows;
    for (let c = -(column & (EIGHT - 1)); c < columns; c += EIGHT) {
      if (isFloat<T>()) {
        tilesOfFloats(s, batch, c, from, larger, end, depth, x, panelAt(s, column + c, depth, weights), y);
      } else {
        const numbers = numbersAt(table, column + c, s.width);
        const scales = scalesAt(table, column + c, s.width);
        if (!isClosed) openPanel<T>(isQ8, numbers, scales, depth, weights);
        const panel = isClosed ? numbers : weights;
        tilesOfIntegers<T>(s, batch, c, from, larger, end, depth, x, panel, isClosed ? scales : 0, y);
      }
    }
  }
}

/** The end of those of some rows that are taken by the larger tiles; the others are taken by four, so that as few as can be are computed for nothing. */
function endOfLarger<T>(from: i32, end: i32): i32 {
  if (sizeof<T>() == 2) {
    const tiles = (end - from + 4) / 5;
    return from + max(0, end - from - tiles * FOUR) * 5;
  }
  const rest = (end - from) % SIX;
  if (rest == 0 || rest == 5) return end;
  return rest > 2 ? end - rest : max(from, end - rest - SIX);
}

function tilesOfFloats(
  s: Step,
  batch: Batch,
  c: i32,
  from: i32,
  larger: i32,
  end: i32,
  depth: i32,
  x: usize,
  weights: usize,
  y: usize,
): void {
  const bytes = (<usize>depth) << 2;
  let r = from;
  for (; r < larger; r += SIX, x += SIX * bytes) {
    tile(x, SIX * 4, weights, depth, y);
    finishPanel(s, batch, r, min(SIX, end - r), c, y);
  }
  for (; r < end; r += FOUR, x += FOUR * bytes) {
    tileOfFour(x, weights, depth, y);
    finishPanel(s, batch, r, min(FOUR, end - r), c, y);
  }
}

/** `scales`: of a panel that is not open. */
function tilesOfIntegers<T>(
  s: Step,
  batch: Batch,
  c: i32,
  from: i32,
  larger: i32,
  end: i32,
  blocks: i32,
  x: usize,
  weights: usize,
  scales: usize,
  y: usize,
): void {
  for (let r = from; r < end; ) {
    const rows = r < larger ? rowsOfTile<T>() : FOUR;
    clear(y, y + ((<usize>rows) << 5));
    if (sizeof<T>() == 1) {
      if (r < larger) tileOfSixFours(x, weights, blocks, y);
      else tileOfFourFours(x, weights, blocks, y);
    } else if (r < larger) {
      if (scales) tileOfFiveQ8(x, weights, scales, blocks, y);
      else tileOfFivePairs(x, weights, blocks, y);
    } else {
      if (scales) tileOfFourQ8(x, weights, scales, blocks, y);
      else tileOfFourPairs(x, weights, blocks, y);
    }
    finishPanel(s, batch, r, min(rows, end - r), c, y);
    r += rows;
    x += ROW_BLOCK * blocks * rows;
  }
}

/** To fill so little memory by `memory.fill` takes engines as long as a tenth of a tile. */
function clear(y: usize, end: usize): void {
  for (; y < end; y += 16) v128.store(y, i32x4.splat(0));
}

function packIntegers<T>(
  s: Step,
  batch: Batch,
  from: i32,
  larger: i32,
  end: i32,
  blocks: i32,
  to: usize,
  normed: usize,
): void {
  const isQ4 = changetype<Table>(s.tables).format == Format.q4;
  for (let r = from; r < end; ) {
    const rows = r < larger ? rowsOfTile<T>() : FOUR;
    for (let i = 0; i < rows; i++) {
      packDigits<T>(readyRow(s, batch, min(r + i, end - 1), normed), blocks, i, rows, isQ4, to);
    }
    r += rows;
    to += ROW_BLOCK * blocks * rows;
  }
}

/** Rows from .. end of the input; the last one stands in for those beyond. */
function packRows(s: Step, batch: Batch, from: i32, larger: i32, end: i32, depth: i32, to: usize): void {
  const bytes = (<usize>depth) << 2;
  let r = from;
  for (; r < larger; r += SIX, to += SIX * bytes) {
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
