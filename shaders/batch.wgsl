// The rows of a run. In front of every kernel; filled once a run, so that the same commands serve every token.
struct Row {
  token: u32,
  position: u32,
  slot: u32,
  // logitRow of rows[i] is the row whose logits are the i-th of the output.
  logitRow: u32,
}

struct Batch {
  rowCount: u32,
  logitCount: u32,
  keys: u32,
  unused: u32,
  rows: array<Row>,
}

@group(0) @binding(0) var<storage, read> batch: Batch;
