import type { AdapterTensor } from './parts.ts';

/** A text as a file has it. */
export const utf8 = (text: string) => new TextEncoder().encode(text) as Uint8Array<ArrayBuffer>;

/** A safetensors file of float32 tensors. Format: https://github.com/huggingface/safetensors#format */
export function writeSafetensors(
  tensors: ReadonlyMap<string, AdapterTensor>,
  metadata?: Record<string, string>,
): Uint8Array<ArrayBuffer> {
  const header: Record<string, unknown> = metadata ? { __metadata__: metadata } : {};
  let end = 0;
  for (const [name, { data, shape }] of tensors) {
    header[name] = { dtype: 'F32', shape: [...shape], data_offsets: [end, (end += 4 * data.length)] };
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const length = Math.ceil(text.length / 8) * 8; // so that the values are aligned
  const bytes = new Uint8Array(8 + length + end);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true);
  bytes.fill(0x20, 8, 8 + length);
  bytes.set(text, 8);
  let at = 8 + length;
  for (const { data } of tensors.values()) {
    new Float32Array(bytes.buffer, at, data.length).set(data);
    at += 4 * data.length;
  }
  return bytes;
}
