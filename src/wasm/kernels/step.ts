/** Up to so many rows are as decoding is: a linear norms its input itself, and a panel of floats is read once for all. */
export const FEW_ROWS: i32 = 4;
/** Up to so many rows a panel of q8 or q4 is multiplied by one after the other; for more there are tiles. */
export const FEW_QUANTISED: i32 = 2;
/** Up to so many rows tiles of pairs read panels of q8 as they lie: to open them takes as long as that makes some 32 rows slower. */
export const CLOSED_ROWS: i32 = 32;
/** Up to so many rows pairs are taken where there are fours too, whose panels must be opened. */
export const FEW_PAIRS: i32 = 5;

/** Rows of a head whose attention a thread computes together. */
export const ATTENTION_ROWS: i32 = 48;

/** Bytes of the block of rows that a tile of a linear keeps at hand. */
export const TILE_BYTES: i32 = 786432;

/** Values of a head that share a scale in eight bits. */
export const KV_BLOCK: i32 = 8;

/** Bytes that a thread needs for the products of a gradient (adjoint.ts). */
export const ADJOINT_BYTES: i32 = 287424;

/** Ops by the plan's names, as in all the enums here: the compiler (../lower.ts) has them from the build. */
export enum Op {
  embed,
  binary,
  normScale,
  norm,
  selectRows,
  rotate,
  rotateAppend,
  linear,
  cacheAppend,
  attentionScores,
  maskedSoftmax,
  attentionMix,
  attention,
  activation,
  totals,
  linearBack,
  linearWeight,
  activationBack,
  normBack,
  softmaxBack,
  mixBack,
  scoresBack,
  keysBack,
  appendBack,
  selectBack,
  rotateBack,
  columnSums,
  crossEntropy,
}

/** `vector`: one's f32, read as a matrix of one row. */
export enum Format {
  f32,
  bf16,
  f16,
  q8,
  q4,
  vector,
}

/** How keys and values are kept. */
export enum Kv {
  f32,
  f16,
  q8,
}

export enum Activation {
  none,
  gelu_new,
  gelu,
  relu,
  silu,
  tanh,
}

/** A number of a row that picks from a table: its word in a Row. */
export enum By {
  token,
  position,
  segment,
}

export enum Kind {
  add,
  multiply,
}

/**
 * One step as it lies in memory, 4 bytes a field. Addresses are 0 where there is nothing. Rows of tensors and weights are
 * `strideOf(width)` elements apart, zeros behind their `width` values.
 */
@unmanaged
export class Step {
  op: i32;
  /** Input tensor [rows, width]; of attention ops q, scores or pattern. */
  input: usize;
  width: i32;
  /** b of a binary, scale of a norm, v of a cacheAppend, k of a rotateAppend, residual of a linear. */
  second: usize;
  /** Of a linear; of a rotateAppend v. */
  gate: usize;
  output: usize;
  /** Of an embed, its tables; of a linear, its weight [.., width]; and how many. */
  tables: usize;
  tableCount: i32;
  /** Where the columns of a linear go, side by side. */
  parts: usize;
  partCount: i32;
  bias: usize;
  /** What an adapter adds to a linear: its input [.., lowParts * rank], vectors [out, rank], and how many columns each part has. */
  low: usize;
  up: usize;
  rank: i32;
  lowParts: i32;
  lowEnds: usize;
  /** Of a rotateAppend the weights of the norms of queries and of keys. */
  normWeight: usize;
  normBias: usize;
  epsilon: f32;
  centred: i32;
  /** Of a binary its Kind, else an Activation. */
  kind: i32;
  /** The output has only the rows whose logits are wanted; and of the input those are read. */
  wanted: i32;
  select: i32;
  /** Keys and values of a source, [keyHeads, places] each of so many bytes. */
  keys: usize;
  values: usize;
  keyHeads: i32;
  headDim: i32;
  places: i32;
  kv: i32;
  keyBytes: i32;
  /** The source is a memory: rows see its places by their numbers for it. */
  memory: i32;
  /** The most of the last keys that a row sees, 0: all; `masked` where the others are masked instead of left out. */
  window: i32;
  masked: i32;
  /** Heads of the queries; of a norm or a rotation those of the input. */
  nHead: i32;
  /** Of a tensor [nHead, rows, keys]: the most keys; of a gradient's products the columns of their output. */
  keyWidth: i32;
  /** Of scores; of a rotateAppend the epsilon of the keys' norm. */
  scale: f32;
  /** What is added to scores by distance, [nHead, 2 d + 1], and d. */
  distances: usize;
  farthest: i32;
  /** Of a rotation: cosines and sines by position, and how many pairs of a head are turned. */
  angles: usize;
  pairs: i32;
}

/**
 * A matrix in its format (see plan/formats.ts), in panels of eight rows: of f32, bf16 and f16 [columns, 8] (panels.ts), of q8 and q4
 * as digits.ts has it; as a table of embeddings, also by which number it is looked up.
 */
@unmanaged
export class Table {
  weight: usize;
  scales: usize;
  format: i32;
  by: i32;
  /** The row of number 0. */
  first: i32;
  factor: f32;
}

/** Columns of a linear: a tensor's, or keys or values of the step's source. */
@unmanaged
export class Part {
  at: usize;
  width: i32;
  kept: i32;
}

/** What a run works on; followed by a Row for each row (plan/rows.ts writes both). */
@unmanaged
export class Batch {
  rows: i32;
  logitRows: i32;
  /** The most keys that a row sees, of its own text and of a memory. */
  context: i32;
  source: i32;
}

@unmanaged
export class Row {
  token: i32;
  position: i32;
  segment: i32;
  /** Of the i-th entry: the i-th row whose logits are wanted. */
  logitRow: i32;
  /** Its own keys' place in a source, and the places that it sees: of a text's own keys, then of a memory. */
  place: i32;
  first: i32;
  count: i32;
  memoryFirst: i32;
  memoryCount: i32;
  unused: i32;
}

export function rowOf(batch: Batch, r: i32): Row {
  return changetype<Row>(changetype<usize>(batch) + offsetof<Batch>() + <usize>r * offsetof<Row>());
}

/** Rows of the output. */
export function rowsOf(s: Step, batch: Batch): i32 {
  return s.wanted ? batch.logitRows : batch.rows;
}

/** Where a row's own keys go in the step's source, and the first and number of those that it sees. */
export function placeOf(s: Step, row: Row): i32 {
  return s.memory ? row.memoryFirst : row.place;
}

export function firstOf(s: Step, row: Row): i32 {
  return s.memory ? row.memoryFirst : s.window && row.count > s.window ? row.first + row.count - s.window : row.first;
}

export function countOf(s: Step, row: Row): i32 {
  return s.memory ? row.memoryCount : s.window && row.count > s.window ? s.window : row.count;
}

export function strideOf(width: i32): usize {
  return (width + 63) & ~63;
}

/** Weights before the panel of eight rows that row `r` lies in. */
export function panelOf(r: i32, width: i32): usize {
  return <usize>(r >> 3) * (strideOf(width) << 3);
}

/** Row `r` of a tensor of rows `width` wide. */
export function rowAt(tensor: usize, r: i32, width: i32): usize {
  return tensor + ((<usize>r * strideOf(width)) << 2);
}

/** Floats between the keys of a head: whole vectors. */
export function headStride(headDim: i32): usize {
  return (headDim + 3) & ~3;
}

/** Where keys or values of a head lie, from a place on. */
export function keysAt(keys: usize, s: Step, head: i32, place: i32): usize {
  return keys + (<usize>head * s.places + place) * s.keyBytes;
}
