import type { Adapter } from '../../src/learn/index.ts';
import { ggufNames } from '../../src/load/gguf-names.ts';
import { f32, permuted } from '../load/gguf-families.ts';
import { encodeGguf, type GgufTensor, type GgufValue } from '../load/tiny-gguf.ts';

/** An adapter of peft's as llama.cpp's converter writes it: heads' rows of queries and keys interleaved, tables turned. */
export function ggufAdapter(
  { config, content }: Adapter,
  heads: Record<string, number>,
  fields: Record<string, GgufValue> = {},
) {
  const tensors: GgufTensor[] = [];
  for (const [name, { data, shape }] of content.tensors) {
    const [, module, table, half] = /^base_model\.model\.model\.(.+)\.lora_(embedding_)?([AB])/.exec(name) ?? [];
    if (module === undefined) continue;
    const [rows, columns] = shape as [number, number];
    const nHead = half === 'B' ? heads[module.split('.').at(-1)!] : undefined;
    let values = nHead ? permuted(data as Float32Array<ArrayBuffer>, rows, nHead) : (data as Float32Array<ArrayBuffer>);
    const isTurned = table !== undefined && half === 'A';
    if (isTurned) values = Float32Array.from(data, (_, i) => data[(i % rows) * columns + Math.floor(i / rows)]!);
    tensors.push({
      name: `${ggufNames.llama.toGguf(`${module}.weight`)}.lora_${half!.toLowerCase()}`,
      type: 0,
      axes: isTurned ? [rows, columns] : [columns, rows],
      bytes: new Uint8Array(values.buffer as ArrayBuffer, values.byteOffset, values.byteLength).slice(),
    });
  }
  const own = {
    'general.architecture': 'llama',
    'general.type': 'adapter',
    'adapter.type': 'lora',
    'adapter.lora.alpha': f32(config.alpha),
    ...fields,
  };
  const parts = { version: 3, fields: new Map(Object.entries(own)), moreFields: [], tensors, alignment: 32 };
  return new File([encodeGguf(parts)], 'adapter.gguf');
}

export const heads = { q_proj: 6, k_proj: 2 };
