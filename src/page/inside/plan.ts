import { families } from '../../model/families.ts';
import type { DecoderConfig } from '../../model/family.ts';
import type { Plan } from '../../plan/plan.ts';

/** The plan of a model in the worker, from its config: its family's file is fetched where it is not here yet. */
export async function planOf(config: DecoderConfig): Promise<Plan> {
  const type = 'modelType' in config ? config.modelType : 'parallelResidual' in config ? 'gpt_neox' : 'gpt2';
  const family = families.find(({ modelTypes }) => modelTypes.includes(type as string))!;
  return (await family.open()).plan(config);
}
