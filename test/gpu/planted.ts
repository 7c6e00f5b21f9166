import { createGpuBackend, type GpuBackendOptions } from '../../src/gpu/backend.ts';
import { gpt2Plan } from '../../src/model/gpt2.ts';
import type { WeightFormat } from '../../src/plan/backend.ts';
import type { Plan } from '../../src/plan/plan.ts';
import { checkKernels } from '../../src/run/canary/device-check.ts';
import type { Finding } from '../../src/run/canary/finding.ts';
import { sharedDevice } from '../backends.ts';
import { gpt2Config } from '../model/shapes.ts';
import { type Alterations, altered } from './altered.ts';

/** What the check of a device's kernels is to find. */
export interface Case {
  what: string;
  how?: Alterations;
  /** Part of the name of what is checked, so that no more is compiled. */
  op: string;
  rows: Finding['rows'];
  format?: WeightFormat;
  options?: GpuBackendOptions;
  plan?: Plan;
}

/** Of tiny-gpt2's kernels, which the other tests compile too. */
const gpt2 = gpt2Plan(gpt2Config({ nLayer: 1, nHead: 3, nEmbd: 96, nInner: 384, nCtx: 128, vocabSize: 1000 }));

/** The kernels that real GPUs get. */
export const workgroups = { variants: { row: 'lanes', tile: 'shared' }, attention: 'shared' } as const;

/** The check on a device altered so; what is not altered is that of the other tests. */
export async function check({ how, op, rows, format = 'f32', options, plan = gpt2 }: Case): Promise<Finding[]> {
  const real = await sharedDevice();
  const device = how ? altered(real, { ...how, info: real.adapterInfo }) : real;
  const size = { slots: 1, context: plan.nCtx, rows: rows === 'one' ? 1 : 12, logitRows: 2, source: 12 };
  const formatOf = ({ name }: { name: string }) => (/^wpe|positions|types/.test(name) ? 'f32' : format);
  const backend = createGpuBackend(device, options);
  const kv = options?.kv ?? 'f32';
  try {
    return await checkKernels(backend, { plan, size, formatOf, kv }, (canary) => canary.op.includes(op));
  } finally {
    backend.dispose();
  }
}
