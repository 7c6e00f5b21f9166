// Writes checkpoints of seeded random weights.
import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** A generator of whole 32-bit numbers (mulberry32), seeded by the tensor's name too: no tensor depends on another. */
function generator(seed, name) {
  let state = 2166136261 ^ seed; // FNV-1a
  for (const letter of name) state = Math.imul(state ^ letter.charCodeAt(0), 16777619);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return mixed ^ (mixed >>> 14);
  };
}

/** Writes a tensor's values: the sum of two uniform ones, with the spread given as standard deviation. */
function writeTensor(file, { name, shape, spread, centre = 0, put = [] }, seed, toHalf) {
  const next = generator(seed, name);
  const count = shape.reduce((product, axis) => product * axis);
  const scale = (spread * Math.sqrt(6)) / 65536;
  const values = new Float32Array(Math.min(count, 1 << 20));
  const halves = toHalf ? new Uint16Array(values.length) : undefined;
  for (let start = 0; start < count; start += values.length) {
    const length = Math.min(values.length, count - start);
    for (let i = 0; i < length; i++) {
      const bits = next();
      values[i] = centre + ((bits & 0xffff) + (bits >>> 16) - 65535) * scale;
    }
    for (const [index, value] of put) if (index >= start && index < start + length) values[index - start] = value;
    if (halves) for (let i = 0; i < length; i++) halves[i] = toHalf(values[i]);
    const bytes = Buffer.from((halves ?? values).buffer, 0, length * (halves ? 2 : 4));
    for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done);
  }
}

/**
 * Writes config.json and model.safetensors.
 * @param tensors in file order: { name, shape, spread, centre, put }, where `put` is a list of [index, value]
 * @param toHalf makes float16 of a number; absent, weights are float32
 * @returns bytes of the weights
 */
export function writeSeeded(folder, config, tensors, { seed, toHalf }) {
  mkdirSync(folder, { recursive: true });
  const header = {};
  let total = 0;
  for (const { name, shape } of tensors) {
    const bytes = shape.reduce((product, axis) => product * axis, toHalf ? 2 : 4);
    header[name] = { dtype: toHalf ? 'F16' : 'F32', shape, data_offsets: [total, (total += bytes)] };
  }
  const json = JSON.stringify(header);
  const padded = Buffer.from(json.padEnd(Math.ceil(json.length / 8) * 8));
  writeFileSync(join(folder, 'config.json'), `${JSON.stringify(config, null, 2)}\n`);
  const file = openSync(join(folder, 'model.safetensors'), 'w');
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  writeSync(file, length);
  writeSync(file, padded);
  for (const tensor of tensors) writeTensor(file, tensor, seed, toHalf);
  closeSync(file);
  return total;
}
