import type { Backend, WeightFormat, WeightRows } from '../plan/backend.ts';
import { VitrineError } from '../plan/error.ts';
import { restrided } from '../plan/formats.ts';
import type { KvFormat } from '../plan/kv.ts';
import { part } from '../plan/part.ts';
import { learns, type WeightSpec } from '../plan/plan.ts';
import { CpuProgram, roomOf } from './program.ts';
import { type CpuWeight, readWeight } from './weights.ts';

/**
 * The reference: every op a plain function over float32 arrays. It needs nothing and is never lost. `kv`: keys and values are
 * rounded to what other backends keep of them; their memory is float32's.
 */
export function createCpuBackend({ kv = 'f32' }: { kv?: KvFormat } = {}): Backend {
  const weights = new Map<string, CpuWeight>();
  let disposed = false;
  return {
    kind: 'cpu',
    adapter: 'JavaScript',
    lost: new Promise(() => {}),
    get bytes() {
      return [...weights.values()].reduce((sum, weight) => sum + weight.bytes, 0);
    },
    async addWeight(spec: WeightSpec, format: WeightFormat, pieces: AsyncIterable<WeightRows>) {
      const weight = await readWeight(spec, spec.kind === 'vector' ? 'f32' : format, pieces);
      if (disposed) throw new VitrineError('disposed', `The CPU backend was disposed while ${spec.name} was read.`);
      weights.set(spec.name, weight);
    },
    setWeight(name, values) {
      const { spec, stride, packed } = weights.get(name)!;
      packed.values.set(restrided(values, spec.columns, stride));
    },
    removeWeights(names) {
      for (const name of names) weights.delete(name);
    },
    programBytes: (plan, size) => roomOf(plan, size, new Set()).bytes,
    bytesOf: async (plan, size, capture) => roomOf(plan, size, capture).bytes,
    async program(plan, size, capture = new Set()) {
      if (disposed) throw new VitrineError('disposed', 'The CPU backend was disposed.');
      const adjoints = learns(plan) && (await part('What differentiates on the CPU', () => import('./adjoint.ts')));
      const adjoint = adjoints ? adjoints.adjoint : undefined;
      return new CpuProgram({ plan, size, capture, weights, kv: adjoints ? 'f32' : kv, adjoint });
    },
    dispose() {
      disposed = true;
      weights.clear();
    },
  };
}
