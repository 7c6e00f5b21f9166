import { halfFromFloat } from '../../src/plan/half.ts';

/** Small GPT-2 checkpoints made in memory, whole or to be broken. */

export interface TensorData {
  dtype: string;
  shape: number[];
  bytes: Uint8Array<ArrayBuffer>;
}

export interface TinyOptions {
  nLayer?: number;
  nHead?: number;
  nEmbd?: number;
  nCtx?: number;
  vocabSize?: number;
  dtype?: 'F32' | 'F16' | 'BF16';
  /** Before each name of the body: `'transformer.'` for old checkpoints. */
  prefix?: string;
  tied?: boolean;
}

export interface TinyCheckpoint {
  config: Record<string, unknown>;
  /** By name in the file, in file order. */
  tensors: Map<string, TensorData>;
}

/** A checkpoint that loads and runs: seeded values, 1 block, 2 heads of 4, 8 positions, 16 words unless told otherwise. */
export function tinyCheckpoint(options: TinyOptions = {}): TinyCheckpoint {
  const { nLayer = 1, nHead = 2, nEmbd = 8, nCtx = 8, vocabSize = 16 } = options;
  const { dtype = 'F32', prefix = '', tied = true } = options;
  const tensors = new Map<string, TensorData>();
  const add = (name: string, ...shape: number[]) => tensors.set(name, { dtype, shape, bytes: seeded(shape, dtype) });
  const norm = (name: string) => {
    add(`${name}.weight`, nEmbd);
    add(`${name}.bias`, nEmbd);
  };
  const conv1d = (name: string, nIn: number, nOut: number) => {
    add(`${name}.weight`, nIn, nOut);
    add(`${name}.bias`, nOut);
  };
  add(`${prefix}wte.weight`, vocabSize, nEmbd);
  add(`${prefix}wpe.weight`, nCtx, nEmbd);
  for (let layer = 0; layer < nLayer; layer++) {
    const block = `${prefix}h.${layer}`;
    norm(`${block}.ln_1`);
    conv1d(`${block}.attn.c_attn`, nEmbd, 3 * nEmbd);
    conv1d(`${block}.attn.c_proj`, nEmbd, nEmbd);
    norm(`${block}.ln_2`);
    conv1d(`${block}.mlp.c_fc`, nEmbd, 4 * nEmbd);
    conv1d(`${block}.mlp.c_proj`, 4 * nEmbd, nEmbd);
  }
  norm(`${prefix}ln_f`);
  if (!tied) add('lm_head.weight', vocabSize, nEmbd);
  const config = {
    model_type: 'gpt2',
    n_embd: nEmbd,
    n_layer: nLayer,
    n_head: nHead,
    n_positions: nCtx,
    vocab_size: vocabSize,
    activation_function: 'gelu_new',
    layer_norm_epsilon: 1e-5,
    tie_word_embeddings: tied,
    bos_token_id: null,
    eos_token_id: null,
  };
  return { config, tensors };
}

/** Values that differ from element to element, exact in every type: multiples of 1/64 between -1 and 1. */
function seeded(shape: number[], dtype: string): Uint8Array<ArrayBuffer> {
  const count = shape.reduce((product, axis) => product * axis, 1);
  return encodeValues(
    Float32Array.from({ length: count }, (_, i) => (((i * 37 + count) % 127) - 63) / 64),
    dtype,
  );
}

/** Float values as the bytes of a type. */
export function encodeValues(values: Float32Array<ArrayBuffer>, dtype: string): Uint8Array<ArrayBuffer> {
  if (dtype === 'F32') return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const halves = Uint16Array.from(values, (value, i) => (dtype === 'F16' ? halfFromFloat(value) : bits[i]! >>> 16));
  return new Uint8Array(halves.buffer);
}

export type Header = Record<string, { dtype: string; shape: number[]; data_offsets: number[] }>;

/** The header of tensors that lie one after the other. */
export function headerOf(tensors: ReadonlyMap<string, TensorData>): Header {
  let offset = 0;
  const header: Header = {};
  for (const [name, { dtype, shape, bytes }] of tensors) {
    header[name] = { dtype, shape, data_offsets: [offset, (offset += bytes.length)] };
  }
  return header;
}

/** A safetensors file. `header` replaces the one that fits; `padding` sets where tensors begin. */
export function encodeSafetensors(
  tensors: ReadonlyMap<string, TensorData>,
  header: unknown = headerOf(tensors),
  padding = 0,
): Uint8Array<ArrayBuffer> {
  const json = new TextEncoder().encode(
    (typeof header === 'string' ? header : JSON.stringify(header)) + ' '.repeat(padding),
  );
  const data = [...tensors.values()].map((tensor) => tensor.bytes);
  return concat([lengthBytes(json.length), json, ...data]);
}

/** A header's length as the format writes it. */
export function lengthBytes(length: number | bigint): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new BigUint64Array([BigInt(length)]).buffer);
}

export function concat(parts: Uint8Array<ArrayBuffer>[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

/** The files of a checkpoint, as `load` takes them. */
export function tinyFiles({ config, tensors }: TinyCheckpoint = tinyCheckpoint()): File[] {
  return files({ 'config.json': JSON.stringify(config), 'model.safetensors': encodeSafetensors(tensors) });
}

/** The files of a checkpoint whose tensors are dealt out to `shards` files. */
export function shardedFiles(
  { config, tensors }: TinyCheckpoint,
  shards = 2,
): Record<string, string | Uint8Array<ArrayBuffer>> {
  const weightMap: Record<string, string> = {};
  const parts = Array.from({ length: shards }, () => new Map<string, TensorData>());
  const fileOf = (shard: number) => `model-0000${shard + 1}-of-0000${shards}.safetensors`;
  [...tensors].forEach(([name, tensor], i) => {
    parts[i % shards]!.set(name, tensor);
    weightMap[name] = fileOf(i % shards);
  });
  return {
    'config.json': JSON.stringify(config),
    'model.safetensors.index.json': JSON.stringify({ metadata: {}, weight_map: weightMap }),
    ...Object.fromEntries(parts.map((part, shard) => [fileOf(shard), encodeSafetensors(part)])),
  };
}

/** Named contents as Files. */
export function files(contents: Record<string, string | Uint8Array<ArrayBuffer>>): File[] {
  return Object.entries(contents).map(([name, content]) => new File([content], name));
}
