/** An image's bytes, read some rows at a time. */
export interface Raster {
  readonly width: number;
  readonly height: number;
  /** 1: grey, 3: RGB, 4: RGBA, not premultiplied. */
  readonly channels: 1 | 3 | 4;
  /** Rows from `first` on: bytes [count, width, channels], valid until the next call. */
  rows(first: number, count: number): Uint8Array | Uint8ClampedArray;
  /** Frees what decoding took. */
  close?(): void;
}
