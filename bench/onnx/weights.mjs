// A checkpoint's tensors, and the two ways in which ONNX models keep matrices in less than 32 bits.
import { closeSync, openSync, readSync } from 'node:fs';

/** Reads a float32 safetensors file: a function from a tensor's name to { shape, data }. */
export function openSafetensors(path) {
  const file = openSync(path, 'r');
  const read = (start, length) => {
    const bytes = Buffer.allocUnsafeSlow(length);
    for (let done = 0; done < length; ) done += readSync(file, bytes, done, length - done, start + done);
    return bytes;
  };
  const headerLength = Number(read(0, 8).readBigUInt64LE());
  const header = JSON.parse(read(8, headerLength).toString());
  const tensor = (name) => {
    const { dtype, shape, data_offsets: at } = header[name] ?? {};
    if (dtype !== 'F32') throw new Error(`${path}: ${name} is ${dtype ?? 'not there'}; expected F32.`);
    const bytes = read(8 + headerLength + at[0], at[1] - at[0]);
    return { shape, data: new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4) };
  };
  return { tensor, close: () => closeSync(file) };
}

/** [rows, columns] -> [columns, rows]. */
export function transpose(data, rows, columns) {
  const turned = new Float32Array(data.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) turned[column * rows + row] = data[row * columns + column];
  }
  return turned;
}

/** Symmetric int8 with one scale an output, [out, in]: what quantize_dynamic(per_channel=True) makes. */
export function int8Rows(data, rows, columns) {
  const values = new Int8Array(data.length);
  const scales = new Float32Array(rows);
  for (let row = 0; row < rows; row++) {
    const source = data.subarray(row * columns, (row + 1) * columns);
    const scale = source.reduce((most, value) => Math.max(most, Math.abs(value)), 0) / 127 || 1;
    scales[row] = scale;
    for (let i = 0; i < columns; i++) values[row * columns + i] = Math.round(source[i] / scale);
  }
  return { values, scales };
}

/**
 * MatMulNBits' layout of [out, in]: blocks of 32 along a row, two values a byte, low half first, zero at 8. The scale is
 * that of llama.cpp's Q4_0 and of ONNX Runtime's quantizer: the largest value by magnitude becomes -8.
 */
export function int4Blocks(data, blockSize = 32) {
  const values = new Uint8Array(data.length / 2);
  const scales = new Float32Array(data.length / blockSize);
  for (let block = 0; block < scales.length; block++) {
    const source = data.subarray(block * blockSize, (block + 1) * blockSize);
    const largest = source.reduce((most, value) => (Math.abs(value) > Math.abs(most) ? value : most), 0);
    const scale = largest / -8 || 1;
    scales[block] = scale;
    const quantised = (i) => Math.min(15, Math.max(0, Math.round(source[i] / scale) + 8));
    for (let i = 0; i < blockSize; i += 2) {
      values[(block * blockSize + i) / 2] = quantised(i) | (quantised(i + 1) << 4);
    }
  }
  return { values, scales };
}
