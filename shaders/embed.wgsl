// output [rows, n] = the sum of a row of each table, by the rows' numbers. The first table may be of any format, and what is bound is
// its part [PART_FIRST, PART_FIRST + PART_ROWS); two more are float32. With ADD the sum is added to what is there.
override PART_FIRST: u32;
override PART_ROWS: u32;
override ADD: bool;
// Of each table: the number it goes by (0 token, 1 position, 2 segment, 3 there is no such table), the row of number 0, a factor.
override BY_0: u32;
override FIRST_0: u32;
override SCALE_0: f32;
override BY_1: u32;
override FIRST_1: u32;
override SCALE_1: f32;
override BY_2: u32;
override FIRST_2: u32;
override SCALE_2: f32;
@group(0) @binding(3) var<storage, read> second: array<vec4f>;
@group(0) @binding(4) var<storage, read> third: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> output: array<vec4f>;

fn numberOf(row: u32, by: u32) -> u32 {
  let numbers = batch.rows[row];
  return select(select(numbers.segment, numbers.position, by == 1), numbers.token, by == 0);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= ROW_UNITS || id.y >= batch.rowCount) { return; }
  let index = numberOf(id.y, BY_0) + FIRST_0;
  if (index < PART_FIRST || index >= PART_FIRST + PART_ROWS) { return; }
  let values = weights16(index - PART_FIRST, id.x) * (scale16(index - PART_FIRST, id.x) * SCALE_0);
  let secondAt = ((numberOf(id.y, BY_1) + FIRST_1) * ROW_UNITS + id.x) * 4;
  let thirdAt = ((numberOf(id.y, BY_2) + FIRST_2) * ROW_UNITS + id.x) * 4;
  let at = (id.y * ROW_UNITS + id.x) * 4;
  for (var i = 0u; i < 4; i++) {
    var sum = values[i];
    if (BY_1 < 3) { sum += second[secondAt + i] * SCALE_1; }
    if (BY_2 < 3) { sum += third[thirdAt + i] * SCALE_2; }
    if (ADD) { sum += output[at + i]; }
    output[at + i] = sum;
  }
}
