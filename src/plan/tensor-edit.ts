/** An edit made ready to run (see edit.ts): new values for some positions and heads of one tensor. */
export interface TensorEdit {
  kind: 'set' | 'scale' | 'add';
  /** Positions of the text, in order of `values`; undefined: all. */
  positions: number[] | undefined;
  /** Heads, in order of `values`; undefined: all, or the tensor has none. */
  heads: number[] | undefined;
  /** One number for all, or [positions, heads, inner] values; [heads, inner] values with `shared`. */
  values: number | Float32Array;
  /** The values are those of one position, used at each. */
  shared: boolean;
}
