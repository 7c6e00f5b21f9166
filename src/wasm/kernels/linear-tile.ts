import { packDigits, packWeights, ROW_BLOCK, rowsOfTile, tileOfFours, tileOfPairs } from './integer-tiles';
import { blockOfRows, column, columns, finishTile, inputRow, takeColumns, totalColumns, touchWeights } from './linear';
import { EIGHT, packFour, packSix, SIX, tile } from './panels';
import { unpack } from './rows';
import { Batch, Format, rowsOf, Step, strideOf, Table, TILE_BYTES } from './step';
import { threadCount } from './threads';

/**
 * y = x weightᵀ for many rows, as in prefill: bound by arithmetic. A thread takes a block of rows, which it writes in panels of
 * six, and some columns, eight of whose weights at a time it writes in a panel. T is what is multiplied: f32, or by
 * integer-tiles.ts i16 or i8.
 */
export function linearTile<T>(s: Step, batch: Batch, scratch: usize): void {
  const rows = rowsOf(s, batch);
  const tileRows = isFloat<T>() ? SIX : rowsOfTile<T>();
  const depth = isFloat<T>() ? (s.width + 3) & ~3 : <i32>(strideOf(s.width) >> 5);
  const group: usize = tileRows * <usize>depth * (isFloat<T>() ? 4 : ROW_BLOCK);
  const y = scratch; // [rows of a tile, EIGHT]
  const weights = y + SIX * EIGHT * 4;
  const unpacked = weights + EIGHT * 4 * strideOf(s.width);
  const x = unpacked + EIGHT * 4 * strideOf(s.width);
  // The panels of a block stay in the L2 cache, or near.
  const fitting = max(1, TILE_BYTES / <i32>group) * tileRows;
  const blocks = (rows + fitting - 1) / fitting;
  const size = (((rows + blocks - 1) / blocks + tileRows - 1) / tileRows) * tileRows;
  const most = max(EIGHT, ((totalColumns(s) * blocks) / (threadCount() * 12)) & ~(EIGHT - 1));
  let packed = -1; // the block whose rows are in x
  while (takeColumns(s, most, blocks)) {
    const from = blockOfRows * size;
    const end = min(rows, from + size);
    if (packed != blockOfRows) packRows<T>(s, batch, from, end, depth, x);
    packed = blockOfRows;
    for (let c = 0; c < columns; c += EIGHT) {
      const count = min(EIGHT, columns - c);
      touchWeights(s, column + c, count, y);
      if (isFloat<T>()) packColumns(s, column + c, count, depth, unpacked, weights);
      else packWeights<T>(changetype<Table>(s.tables), column + c, count, s.width, weights);
      let panel = x;
      for (let r = from; r < end; r += tileRows, panel += group) {
        if (isFloat<T>()) tile(panel, SIX * 4, weights, depth, y);
        else if (sizeof<T>() == 2) tileOfPairs(panel, weights, depth, y);
        else tileOfFours(panel, weights, depth, y);
        finishTile(s, batch, r, min(tileRows, end - r), c, count, y);
      }
    }
  }
}

/** Rows from .. end of the input; the last one stands in for those beyond. */
function packRows<T>(s: Step, batch: Batch, from: i32, end: i32, depth: i32, to: usize): void {
  if (!isFloat<T>()) {
    const tileRows = rowsOfTile<T>();
    for (let r = from; r < end; r += tileRows, to += tileRows * ROW_BLOCK * depth) {
      for (let i = 0; i < tileRows; i++) packDigits<T>(inputRow(s, batch, min(r + i, end - 1)), depth, i, to);
    }
    return;
  }
  for (let r = from; r < end; r += SIX, to += SIX * 4 * depth) {
    const x0 = inputRow(s, batch, r);
    const x1 = inputRow(s, batch, min(r + 1, end - 1));
    const x2 = inputRow(s, batch, min(r + 2, end - 1));
    const x3 = inputRow(s, batch, min(r + 3, end - 1));
    const x4 = inputRow(s, batch, min(r + 4, end - 1));
    packSix(x0, x1, x2, x3, x4, inputRow(s, batch, min(r + 5, end - 1)), depth, to);
  }
}

/** Weight rows first .. first + count; the last one stands in for those beyond. */
function packColumns(s: Step, first: i32, count: i32, depth: i32, unpacked: usize, to: usize): void {
  const table = changetype<Table>(s.tables);
  const stride = strideOf(s.width) << 2;
  let w = unpacked;
  if (table.format == Format.f32) w = table.weight + <usize>first * stride;
  else for (let i = 0; i < count; i++) unpack(table, first + i, s.width, 0, <i32>(stride >> 2), w + i * stride);
  for (let i = 0; i < EIGHT; i += 4) {
    const w0 = w + <usize>min(i, count - 1) * stride;
    const w1 = w + <usize>min(i + 1, count - 1) * stride;
    const w2 = w + <usize>min(i + 2, count - 1) * stride;
    packFour(w0, w1, w2, w + <usize>min(i + 3, count - 1) * stride, depth, to + i * 4);
  }
}
