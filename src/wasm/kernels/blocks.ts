/** Blocks as files have them, a scale and its values, come to lie apart: rows of `inRow` blocks, padded to `padded`. */
export function blocksQ8(from: usize, rows: i32, inRow: i32, padded: i32, values: usize, scales: usize): void {
  for (; rows > 0; rows--) {
    for (let b = 0; b < inRow; b++, from += 34, values += 32, scales += 2) {
      store<u16>(scales, load<u16>(from));
      v128.store(values, v128.load(from, 2));
      v128.store(values, v128.load(from, 18), 16);
    }
    const more = <usize>(padded - inRow);
    memory.fill(values, 0, more << 5);
    memory.fill(scales, 0, more << 1);
    values += more << 5;
    scales += more << 1;
  }
}

/** The same of Q4_0, whose byte j holds weights j and j + 16; here it is j and j + 4 of each eight. */
export function blocksQ4(from: usize, rows: i32, inRow: i32, padded: i32, values: usize, scales: usize): void {
  const low = i8x16.splat(0x0f);
  for (; rows > 0; rows--) {
    for (let b = 0; b < inRow; b++, from += 18, values += 16, scales += 2) {
      store<u16>(scales, load<u16>(from));
      const bytes = v128.load(from, 2);
      const first = v128.shuffle<i32>(bytes, bytes, 0, 2, 0, 2);
      const second = v128.shuffle<i32>(bytes, bytes, 1, 3, 1, 3);
      const lows = v128.or(v128.and(first, low), i8x16.shl(v128.and(second, low), 4));
      const highs = v128.or(i8x16.shr_u(first, 4), v128.andnot(second, low));
      v128.store(values, v128.shuffle<i64>(lows, highs, 0, 2));
    }
    const more = <usize>(padded - inRow);
    memory.fill(values, 0x88, more << 4);
    memory.fill(scales, 0, more << 1);
    values += more << 4;
    scales += more << 1;
  }
}
