/** Ops as the compiler (../lower.ts) numbers them. */
export const EMBED = 0;
export const ADD = 1;
export const LAYER_NORM_SCALE = 2;
export const LAYER_NORM = 3;
export const SELECT_ROWS = 4;
export const LINEAR = 5;
export const CACHE_APPEND = 6;
export const ATTENTION_SCORES = 7;
export const MASKED_SOFTMAX = 8;
export const ATTENTION_MIX = 9;
export const ATTENTION = 10;
export const ACTIVATION = 11;

export const F32 = 0;
export const F16 = 1;
export const Q8 = 2;
export const Q4 = 3;

/**
 * One step as it lies in memory, 4 bytes a field, in the order of `fields` in ../lower.ts. Addresses are 0 where there is
 * nothing. Rows of tensors and weights are `strideOf(width)` elements apart, zeros behind their `width` values.
 */
@unmanaged
export class Step {
  op: i32;
  /** Input tensor [rows, width]; of attention ops q, scores or pattern. */
  input: usize;
  width: i32;
  /** b of an add, scale of a layerNorm, v of a cacheAppend, residual of a linear. */
  second: usize;
  /** Output tensors; a linear fills them side by side, each `outputWidth` wide. */
  output: usize;
  output1: usize;
  output2: usize;
  outputWidth: i32;
  outputs: i32;
  /** A matrix [outputs * outputWidth, width], or a table of embeddings (see plan/formats.ts). */
  weight: usize;
  scales: usize;
  format: i32;
  /** A second table of embeddings, by position, added to the first. */
  positionWeight: usize;
  positionScales: usize;
  positionFormat: i32;
  bias: usize;
  normWeight: usize;
  normBias: usize;
  epsilon: f32;
  /** 0 none, then as `activations` in ../lower.ts. */
  activation: i32;
  /** Only the rows whose logits are wanted. */
  select: i32;
  /** Keys and values of a layer [slots, nHead, context, headStride]; of a linear, where its second and third output go. */
  keys: usize;
  values: usize;
  nHead: i32;
  headDim: i32;
  context: i32;
  scale: f32;
}

/** What a run works on; followed by a Row for each row. */
@unmanaged
export class Batch {
  rows: i32;
  logitRows: i32;
  /** The largest position + 1. */
  keys: i32;
  unused: i32;
}

@unmanaged
export class Row {
  token: i32;
  position: i32;
  slot: i32;
  /** Of the i-th entry: the i-th row whose logits are wanted. */
  logitRow: i32;
}

export function rowOf(batch: Batch, r: i32): Row {
  return changetype<Row>(changetype<usize>(batch) + 16 + ((<usize>r) << 4));
}

export function strideOf(width: i32): usize {
  return (width + 63) & ~63;
}

/** Row `r` of a tensor of rows `width` wide. */
export function rowAt(tensor: usize, r: i32, width: i32): usize {
  return tensor + ((<usize>r * strideOf(width)) << 2);
}

/** Floats between the keys of a head in the cache: whole vectors. */
export function headStride(headDim: i32): usize {
  return (headDim + 3) & ~3;
}

/** Where the cache keeps a head of a slot's position. */
export function cacheAt(cache: usize, s: Step, slot: i32, head: i32, position: i32): usize {
  const index = (<usize>slot * s.nHead + head) * s.context + position;
  return cache + ((index * headStride(s.headDim)) << 2);
}
