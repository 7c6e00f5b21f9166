import { inOrder as rowsInOrder } from '../load/values.ts';
import type { AdapterTensor } from './parts.ts';

/** Tensors in the order of transformers: llama.cpp has of each head's queries and keys the pairs that are turned side by side. */
export function inOrder(tensors: ReadonlyMap<string, AdapterTensor>, headDim: number): Map<string, AdapterTensor> {
  const half = headDim / 2;
  const order = (i: number) => i - (i % headDim) + 2 * (i % half) + Math.floor((i % headDim) / half);
  return new Map(
    [...tensors].map(([name, tensor]) => {
      const isTurned = /\.self_attn\.[qk]_proj\.lora_B\.weight$/.test(name) && tensor.shape[0]! % headDim === 0;
      return [name, isTurned ? { ...tensor, data: rowsInOrder(tensor.data, tensor.shape[1]!, order) } : tensor];
    }),
  );
}
