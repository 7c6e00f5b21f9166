// The rows of a run, as writeRows of src/plan/rows.ts has them. In front of kernels; filled once a run, so that the same commands
// serve every token.
struct Row {
  token: u32,
  position: u32,
  segment: u32,
  logitRow: u32, // of rows[i]: the row whose logits are the i-th of the output
  place: u32, // of its own keys
  first: u32, // place of the first key that it sees
  count: u32, // of keys that it sees
  memoryFirst: u32,
  memoryCount: u32,
  unused: u32,
}

struct Batch {
  rowCount: u32,
  logitCount: u32,
  keys: u32, // most that a row sees
  memoryKeys: u32,
  rows: array<Row>,
}

@group(0) @binding(0) var<storage, read> batch: Batch;

override LOGIT_ROWS: bool = false; // the kernel's rows are those whose logits are wanted
override WINDOW: u32 = 0; // a row sees so many of the last keys; 0: all
override MEMORY: bool = false; // its keys are those of the memory, not of the text itself

fn rowCount() -> u32 {
  return select(batch.rowCount, batch.logitCount, LOGIT_ROWS);
}

// The most keys that a row sees.
fn keyCount() -> u32 {
  return select(batch.keys, batch.memoryKeys, MEMORY);
}

// Where a row's keys begin in a tensor [nHead, rows, keys]: it is as large as the run, so that pipelines serve programs of any size.
fn scoresAt(head: u32, row: u32) -> u32 {
  return (head * batch.rowCount + row) * keyCount();
}

fn placeOf(row: u32) -> u32 {
  if (MEMORY) { return batch.rows[row].memoryFirst; }
  return batch.rows[row].place;
}

struct Seen {
  first: u32,
  count: u32,
  place: u32, // of the row's own
}

// The keys that a row sees: places [first, first + count).
fn seenBy(row: u32) -> Seen {
  if (MEMORY) { return Seen(batch.rows[row].memoryFirst, batch.rows[row].memoryCount, batch.rows[row].memoryFirst); }
  let count = batch.rows[row].count;
  let kept = select(count, min(count, WINDOW), WINDOW > 0);
  return Seen(batch.rows[row].first + count - kept, kept, batch.rows[row].place);
}
