import { editAxesOf, type TensorEdit } from '../../plan/plan.ts';
import { ceilDiv, flag, type Kernel, keyConstants, rowConstants } from '../kernel.ts';
import type { Place } from '../place.ts';

/** One edit of a tensor, in place. Its lists live in buffers of the program's: a pipeline serves texts of all lengths. */
export function edit(one: TensorEdit, tensor: string, { batch, buffers, plan, ...to }: Place): Kernel {
  const x = to.tensor(tensor);
  const { keys, nHead = 1, inner: last } = editAxesOf(plan.tensors.get(tensor)!);
  const inner = keys ? 0 : (last as number);
  const heads = one.heads ?? Array.from({ length: nHead }, (_, head) => head);
  const positions = one.positions ?? [];
  const values = typeof one.values === 'number' ? Float32Array.of(one.values) : one.values;
  const runs = heads.length * (one.shared ? 1 : (one.positions?.length ?? 1));
  const width = typeof one.values === 'number' ? 0 : values.length / runs;
  const places = [positions.length, heads.length, width, flag(one.shared), ...heads, ...positions];
  return {
    files: ['batch.wgsl', 'edit.wgsl'],
    constants: {
      ...{ KIND: { set: 0, scale: 1, add: 2 }[one.kind], HEAD_FIRST: flag(keys), INNER: inner },
      ...{ ROW_STRIDE: keys ? 0 : x.stride, ...keyConstants({ axis: keys ?? 'context' }), ...rowConstants(x) },
    },
    bindings: {
      ...{ 0: batch, 3: x.buffer },
      4: buffers.from('edit places', Uint32Array.from(places)),
      5: buffers.from('edit values', values),
    },
    workgroups: (sizes) => [ceilDiv(keys ? sizes[keys] : inner, 64), sizes[x.axis], heads.length],
  };
}
