import { packRows } from '../../src/plan/formats.ts';

/** A metadata value with its GGUF type. */
export type Field =
  | { type: 'u32' | 'f32'; value: number }
  | { type: 'bool'; value: boolean }
  | { type: 'string'; value: string }
  | { type: 'strings'; value: readonly string[] }
  | { type: 'i32s'; value: readonly number[] };

export type TensorType = 'f32' | 'f16' | 'q8_0' | 'q4_0';

/** A tensor to be written. `shape` is outermost first, as in safetensors; the file has it the other way round. */
export interface TensorEntry {
  name: string;
  type: TensorType;
  shape: readonly number[];
}

/** Numbers of the types in the file, and the bytes of a block of so many weights (ggml.h). */
export const tensorTypes: Record<TensorType, { id: number; block: number; bytes: number }> = {
  f32: { id: 0, block: 1, bytes: 4 },
  f16: { id: 1, block: 1, bytes: 2 },
  q4_0: { id: 2, block: 32, bytes: 18 },
  q8_0: { id: 8, block: 32, bytes: 34 },
};

const fieldTypes = { u32: 4, i32: 5, f32: 6, bool: 7, string: 8, array: 9 };

/** The alignment of tensors where the metadata names none. */
export const alignment = 32;

export const aligned = (bytes: number): number => Math.ceil(bytes / alignment) * alignment;

export function tensorBytes({ type, shape }: TensorEntry): number {
  const { block, bytes } = tensorTypes[type];
  return (shape.reduce((product, axis) => product * axis, 1) / block) * bytes;
}

/**
 * All that comes before the first tensor's bytes, padding included: metadata and the list of tensors.
 * Format, version 3: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
 */
export function ggufHeader(metadata: ReadonlyMap<string, Field>, tensors: readonly TensorEntry[]): Buffer {
  const parts: Buffer[] = [Buffer.from('GGUF'), u32(3), u64(tensors.length), u64(metadata.size)];
  for (const [key, field] of metadata) {
    parts.push(string(key));
    // One by one: a vocabulary has more pieces than a call takes arguments.
    for (const part of fieldParts(field)) parts.push(part);
  }
  let offset = 0;
  for (const tensor of tensors) {
    const axes = [...tensor.shape].reverse();
    parts.push(string(tensor.name), u32(axes.length), ...axes.map(u64), u32(tensorTypes[tensor.type].id), u64(offset));
    offset += aligned(tensorBytes(tensor));
  }
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return Buffer.concat(parts, aligned(length)); // filled with zeros
}

/** The bytes of whole rows of weights; the row length is a multiple of the type's block. */
export function encodeTensor(type: TensorType, values: Float32Array): Uint8Array {
  switch (type) {
    case 'f32':
      return bytesOf(values);
    case 'f16':
      return bytesOf(packRows('f16', values, values.length).values).subarray(0, values.length * 2);
    case 'q8_0':
      return encodeQ8(values);
    case 'q4_0':
      return encodeQ4(values);
    default:
      return type satisfies never;
  }
}

/** Q8_0: the scale as a half, then 32 signed bytes. */
function encodeQ8(values: Float32Array): Uint8Array {
  const packed = packRows('q8', values, values.length);
  const out = new Uint8Array((values.length / 32) * 34);
  for (let b = 0; b < values.length / 32; b++) {
    out.set(bytesOf(packed.scales!.subarray(b, b + 1)), b * 34);
    out.set(bytesOf(packed.values.subarray(b * 32, (b + 1) * 32)), b * 34 + 2);
  }
  return out;
}

/** Q4_0: the scale as a half, then 16 bytes, of which byte j holds weight j in its low nibble and j + 16 in its high one. */
function encodeQ4(values: Float32Array): Uint8Array {
  const packed = packRows('q4', values, values.length);
  const nibble = (i: number) => (packed.values[(i >> 3) * 4 + (i & 3)]! >> (i & 4)) & 15;
  const out = new Uint8Array((values.length / 32) * 18);
  for (let b = 0; b < values.length / 32; b++) {
    out.set(bytesOf(packed.scales!.subarray(b, b + 1)), b * 18);
    for (let j = 0; j < 16; j++) out[b * 18 + 2 + j] = nibble(b * 32 + j) | (nibble(b * 32 + 16 + j) << 4);
  }
  return out;
}

function fieldParts(field: Field): Buffer[] {
  switch (field.type) {
    case 'u32':
      return [u32(fieldTypes.u32), u32(field.value)];
    case 'f32':
      return [u32(fieldTypes.f32), Buffer.from(new Float32Array([field.value]).buffer)];
    case 'bool':
      return [u32(fieldTypes.bool), Buffer.from([field.value ? 1 : 0])];
    case 'string':
      return [u32(fieldTypes.string), string(field.value)];
    case 'strings':
      return [u32(fieldTypes.array), u32(fieldTypes.string), u64(field.value.length), ...field.value.map(string)];
    case 'i32s': {
      const values = Buffer.from(Int32Array.from(field.value).buffer);
      return [u32(fieldTypes.array), u32(fieldTypes.i32), u64(field.value.length), values];
    }
    default:
      return field satisfies never;
  }
}

const bytesOf = (view: ArrayBufferView) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);

const u32 = (value: number): Buffer => Buffer.from(new Uint32Array([value]).buffer);
const u64 = (value: number): Buffer => Buffer.from(new BigUint64Array([BigInt(value)]).buffer);

function string(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([u64(bytes.length), bytes]);
}
