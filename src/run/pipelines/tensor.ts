import { badOption } from '../../plan/error.ts';

type Nested = number | Nested[];

/** Numbers with their shape, as transformers.js gives features: `dims`, `data` with the last axis innermost, and `tolist()`. */
export class PipelineTensor {
  readonly data: Float32Array | Int8Array | Uint8Array;
  readonly dims: readonly number[];

  constructor(data: PipelineTensor['data'], dims: readonly number[]) {
    this.data = data;
    this.dims = dims;
  }

  get type(): 'float32' | 'int8' | 'uint8' {
    return this.data instanceof Float32Array ? 'float32' : this.data instanceof Int8Array ? 'int8' : 'uint8';
  }

  get size(): number {
    return this.data.length;
  }

  /** Lists within lists, one level an axis. */
  tolist(): Nested {
    let lists: Nested[] = Array.from(this.data);
    for (const length of this.dims.slice(1).reverse()) {
      lists = Array.from({ length: lists.length / length }, (_, i) => lists.slice(i * length, (i + 1) * length));
    }
    return lists;
  }
}

/** One bit a number, 1 above 0, the first in the highest place; `binary` bytes are less by 128. */
export function quantized({ data, dims }: PipelineTensor, precision: 'binary' | 'ubinary'): PipelineTensor {
  const [rows = 0, width = 0, ...more] = dims;
  if (more.length > 0 || width % 8 !== 0) {
    throw badOption(`quantize needs pooled features of 8, 16, ... numbers; these are [${dims}].`);
  }
  const bytes = new Uint8Array(data.length / 8);
  for (let i = 0; i < data.length; i++) if (data[i]! > 0) bytes[i >> 3]! |= 128 >> (i & 7);
  const packed = precision === 'ubinary' ? bytes : Int8Array.from(bytes, (byte) => byte - 128);
  return new PipelineTensor(packed, [rows, width / 8]);
}
