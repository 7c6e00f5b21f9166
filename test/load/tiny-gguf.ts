import { concat, lengthBytes } from './tiny-checkpoint.ts';

/** GGUF files made in memory, whole or to be broken. */

export interface GgufTensor {
  name: string;
  /** The type's number in the file. */
  type: number;
  /** Innermost axis first, as in the file. */
  axes: number[];
  bytes: Uint8Array<ArrayBuffer>;
  /** In place of where it lies. */
  offset?: number | bigint;
  /** In place of how many axes there are. */
  axisCount?: number;
}

/** A metadata value by its type: numbers are u32 if whole, else f32. */
export type GgufValue = string | number | string[] | number[] | Raw;

/** Any bytes for a value, its type number included. */
export class Raw {
  readonly bytes: Uint8Array<ArrayBuffer>;

  constructor(type: number, ...bytes: Uint8Array<ArrayBuffer>[]) {
    this.bytes = concat([u32(type), ...bytes]);
  }
}

export interface GgufParts {
  version: number;
  fields: Map<string, GgufValue>;
  /** Behind them, under whatever keys. */
  moreFields: [string, GgufValue][];
  tensors: GgufTensor[];
  /** In place of how many there are. */
  tensorCount?: number | bigint;
  alignment: number;
}

export const u32 = (value: number): Uint8Array<ArrayBuffer> => new Uint8Array(new Uint32Array([value]).buffer);
export const u64 = lengthBytes;

export function string(value: string): Uint8Array<ArrayBuffer> {
  const bytes = new TextEncoder().encode(value);
  return concat([u64(bytes.length), bytes]);
}

function valueBytes(value: GgufValue): Uint8Array<ArrayBuffer> {
  if (value instanceof Raw) return value.bytes;
  if (typeof value === 'string') return concat([u32(8), string(value)]);
  if (typeof value === 'number') {
    return Number.isInteger(value)
      ? concat([u32(4), u32(value)])
      : concat([u32(6), new Uint8Array(new Float32Array([value]).buffer)]);
  }
  const isText = value.some((entry) => typeof entry === 'string');
  const entries = value.map((entry) => (typeof entry === 'string' ? string(entry) : u32(entry)));
  return concat([u32(9), u32(isText ? 8 : 5), u64(value.length), ...entries]);
}

export function encodeGguf(parts: GgufParts): Uint8Array<ArrayBuffer> {
  const { version, tensors, alignment } = parts;
  const fields = [...parts.fields, ...parts.moreFields];
  const pad = (length: number) => new Uint8Array(Math.ceil(length / alignment) * alignment - length);
  const header = [new TextEncoder().encode('GGUF'), u32(version)];
  header.push(u64(parts.tensorCount ?? tensors.length), u64(fields.length));
  for (const [key, value] of fields) header.push(string(key), valueBytes(value));
  const data: Uint8Array<ArrayBuffer>[] = [];
  let offset = 0;
  for (const { name, type, axes, bytes, offset: own, axisCount } of tensors) {
    header.push(string(name), u32(axisCount ?? axes.length), ...axes.map(u64), u32(type), u64(own ?? offset));
    data.push(bytes, pad(bytes.length));
    offset += bytes.length + pad(bytes.length).length;
  }
  const head = concat(header);
  return concat([head, pad(head.length), ...data]);
}

interface Shape {
  nLayer?: number;
  nEmbd?: number;
  nCtx?: number;
  vocabSize?: number;
  tied?: boolean;
}

/** A GPT-2 of seeded F32 values with a vocabulary of bytes and one merge. */
export function tinyGguf({ nLayer = 1, nEmbd = 32, nCtx = 8, vocabSize = 16, tied = true }: Shape = {}): GgufParts {
  const tensors: GgufTensor[] = [];
  const add = (name: string, ...axes: number[]) => {
    const count = axes.reduce((product, axis) => product * axis, 1);
    const values = Float32Array.from({ length: count }, (_, i) => (((i * 37 + count) % 127) - 63) / 64);
    tensors.push({ name, type: 0, axes, bytes: new Uint8Array(values.buffer) });
  };
  const both = (name: string, nIn: number, nOut?: number) => {
    add(`${name}.weight`, ...(nOut ? [nIn, nOut] : [nIn]));
    add(`${name}.bias`, nOut ?? nIn);
  };
  add('token_embd.weight', nEmbd, vocabSize);
  add('position_embd.weight', nEmbd, nCtx);
  for (let layer = 0; layer < nLayer; layer++) {
    both(`blk.${layer}.attn_norm`, nEmbd);
    both(`blk.${layer}.attn_qkv`, nEmbd, 3 * nEmbd);
    both(`blk.${layer}.attn_output`, nEmbd, nEmbd);
    both(`blk.${layer}.ffn_norm`, nEmbd);
    both(`blk.${layer}.ffn_up`, nEmbd, 4 * nEmbd);
    both(`blk.${layer}.ffn_down`, 4 * nEmbd, nEmbd);
  }
  both('output_norm', nEmbd);
  if (!tied) add('output.weight', nEmbd, vocabSize);
  const tokens = [...'abcdefghijklmn', 'ab', '<|endoftext|>'];
  const fields = new Map<string, GgufValue>([
    ['general.architecture', 'gpt2'],
    ['gpt2.block_count', nLayer],
    ['gpt2.context_length', nCtx],
    ['gpt2.embedding_length', nEmbd],
    ['gpt2.feed_forward_length', 4 * nEmbd],
    ['gpt2.attention.head_count', 2],
    ['gpt2.attention.layer_norm_epsilon', 1e-5],
    ['tokenizer.ggml.model', 'gpt2'],
    ['tokenizer.ggml.pre', 'gpt-2'],
    ['tokenizer.ggml.tokens', tokens],
    ['tokenizer.ggml.token_type', tokens.map((_, id) => (id === 15 ? 3 : 1))],
    ['tokenizer.ggml.merges', ['a b']],
    ['tokenizer.ggml.eos_token_id', 15],
  ]);
  return { version: 3, fields, moreFields: [], tensors, alignment: 32 };
}
