import type { TensorSpec } from '../../index.ts';

/** Where a plan has its attention and its blocks, read from the names and shapes of its tensors: nothing here knows a family. */

/** A stack of alike blocks: of a whole model, or of its encoder or decoder. */
export type Stack = 'blocks' | 'encoder' | 'decoder';

export interface Attention {
  /** The name of its pattern, [heads, rows, keys]. */
  name: string;
  stack: Stack;
  layer: number;
  heads: number;
  /** Its keys are another text's: those of the encoder. */
  crosses: boolean;
}

const pattern = /^(blocks|encoder|decoder)\.(\d+)\.(attn|cross_attn)\.hook_pattern$/;

/** Every attention of a plan in the order in which it is computed. */
export function attentionsOf(tensors: readonly TensorSpec[]): Attention[] {
  return tensors.flatMap(({ name, shape }) => {
    const [, stack, layer, kind] = pattern.exec(name) ?? [];
    if (!stack) return [];
    return {
      ...{ name, stack: stack as Stack, layer: Number(layer), heads: Number(shape[0]) },
      crosses: kind === 'cross_attn',
    };
  });
}

/** Other names of tensors that have one, after TransformerLens's components. */
const alias = /\.hook_(in|out)$|^(encoder|decoder)_blocks\./;

/** A block's tensors in the order in which they are computed, without their other names. */
export function tensorsOf(tensors: readonly TensorSpec[], stack: Stack, layer: number): TensorSpec[] {
  const prefix = `${stack}.${layer}.`;
  return tensors.filter(({ name }) => name.startsWith(prefix) && !alias.test(name));
}

/** How many blocks each stack has. */
export function stacksOf(tensors: readonly TensorSpec[]): Map<Stack, number> {
  const counts = new Map<Stack, number>();
  for (const { stack, layer } of attentionsOf(tensors)) counts.set(stack, Math.max(counts.get(stack) ?? 0, layer + 1));
  return counts;
}

/** A head's part of a pattern [heads, rows, keys]: [rows, keys]. */
export function headOf({ data, shape }: { data: Float32Array; shape: readonly number[] }, head: number): Float32Array {
  const size = shape[1]! * shape[2]!;
  return data.subarray(head * size, (head + 1) * size);
}
