import { inOrder as rowsInOrder } from '../load/values.ts';
import type { BaseConfig } from '../model/family.ts';
import type { AdapterTensor } from './parts.ts';

/**
 * Tensors in the order of transformers. llama.cpp has of each head's queries and keys the pairs that are turned side by side, and of
 * GPT-NeoX all queries, then all keys, then all values, where transformers has them head by head.
 */
export function inOrder(
  tensors: ReadonlyMap<string, AdapterTensor>,
  base: BaseConfig & { headDim?: number },
): Map<string, AdapterTensor> {
  const { nHead, headDim = base.nEmbd / nHead } = base;
  const half = headDim / 2;
  const ofPairs = (i: number) => i - (i % headDim) + 2 * (i % half) + Math.floor((i % headDim) / half);
  const ofParts = (i: number) => {
    const [head, within] = [Math.floor(i / (3 * headDim)), i % (3 * headDim)];
    return Math.floor(within / headDim) * nHead * headDim + head * headDim + (within % headDim);
  };
  return new Map(
    [...tensors].map(([name, tensor]) => {
      const [rows, rank] = tensor.shape as [number, number];
      const isOfPairs = /\.self_attn\.[qk]_proj\.lora_B\.weight$/.test(name) && rows % headDim === 0;
      const isOfParts = /\.query_key_value\.lora_B\.weight$/.test(name) && rows === 3 * nHead * headDim;
      if (!isOfPairs && !isOfParts) return [name, tensor];
      return [name, { ...tensor, data: rowsInOrder(tensor.data, rank, isOfPairs ? ofPairs : ofParts) }];
    }),
  );
}
