import { numbersAt, packDigits, ROW_BLOCK, scalesAt } from './digits';
import { rowOfPairsQ4, rowOfPairsQ8 } from './integer-tiles';
import { column, columns, finishPanel, panelAt, panelIn, readyRow, takeColumns, totalColumns } from './linear';
import { EIGHT, FOUR, packFour, tileOfFour, tileOfOneBf16, tileOfOneF16, tileOfOneF32 } from './panels';
import { Batch, Format, rowsOf, Step, strideOf, Table } from './step';
import { threadCount } from './threads';

/**
 * y = x weightᵀ for few rows, as in decoding: bound by reading the weights, panels of which are read one behind the other in one stream.
 * Each thread first makes the rows of x ready for itself, which is cheaper than a step of its own.
 */
export function linearRow(s: Step, batch: Batch, scratch: usize): void {
  if (changetype<Table>(s.tables).format < Format.q8) rowsOfFloats(s, batch, scratch);
  else rowsOfIntegers(s, batch, scratch);
}

function rowsOfFloats(s: Step, batch: Batch, y: usize): void {
  const rows = rowsOf(s, batch);
  const bytes = strideOf(s.width) << 2;
  const normed = y + FOUR * EIGHT * 4;
  const four = normed + FOUR * bytes; // [depth, 4]
  const wide = four + FOUR * bytes; // a panel of floats
  const x = readyRow(s, batch, 0, normed);
  const depth = (s.width + 3) & ~3;
  if (rows > 1) {
    const x1 = readyRow(s, batch, 1, normed + bytes);
    const x2 = readyRow(s, batch, min(2, rows - 1), normed + 2 * bytes);
    packFour(x, x1, x2, readyRow(s, batch, rows - 1, normed + 3 * bytes), depth, four, FOUR * 4);
  }
  const format = changetype<Table>(s.tables).format;
  const most = max(EIGHT, min(256, (totalColumns(s) / (threadCount() * 8 * s.partCount)) & ~(EIGHT - 1)));
  while (takeColumns(s, most, 1)) {
    for (let c = -(column & (EIGHT - 1)); c < columns; c += EIGHT) {
      if (rows > 1) tileOfFour(four, panelAt(s, column + c, depth, wide), depth, y);
      else if (format == Format.f32) tileOfOneF32(x, panelIn(s, column + c), depth, y);
      else if (format == Format.bf16) tileOfOneBf16(x, panelIn(s, column + c), depth, y);
      else tileOfOneF16(x, panelIn(s, column + c), depth, y);
      finishPanel(s, batch, 0, rows, c, y);
    }
  }
}

/** One row and the next read a panel as it lies. */
function rowsOfIntegers(s: Step, batch: Batch, y: usize): void {
  const rows = rowsOf(s, batch);
  const table = changetype<Table>(s.tables);
  const isQ8 = table.format == Format.q8;
  const stride = strideOf(s.width);
  const blocks = <i32>(stride >> 5);
  const x = y + EIGHT * 4;
  const bytes = ROW_BLOCK * blocks;
  const normed = x + bytes * rows;
  for (let r = 0; r < rows; r++) {
    packDigits<i16>(readyRow(s, batch, r, normed), blocks, 0, 1, !isQ8, x + bytes * r);
  }
  const most = max(EIGHT, min(256, (totalColumns(s) / (threadCount() * 8 * s.partCount)) & ~(EIGHT - 1)));
  while (takeColumns(s, most, 1)) {
    for (let c = -(column & (EIGHT - 1)); c < columns; c += EIGHT) {
      const numbers = numbersAt(table, column + c, s.width);
      const scales = scalesAt(table, column + c, s.width);
      for (let r = 0; r < rows; r++) {
        if (isQ8) rowOfPairsQ8(x + bytes * r, numbers, scales, blocks, y);
        else rowOfPairsQ4(x + bytes * r, numbers, scales, blocks, y);
        finishPanel(s, batch, r, 1, c, y);
      }
    }
  }
}
