import { openCheckpoint } from '../../src/load/open.ts';
import { gpt2Plan } from '../../src/model/gpt2.ts';
import type { Backend, Program, RunResult, WeightFormat } from '../../src/plan/backend.ts';
import type { Plan } from '../../src/plan/plan.ts';
import { readFixture } from '../fixtures.ts';

/** A fixture checkpoint on a backend. */
export interface OpenedModel {
  plan: Plan;
  backend: Backend;
}

/** Puts `folder`/`file` with its config.json on a backend; the backend holds one model only. */
export async function openOn(
  backend: Backend,
  folder: string,
  file: string,
  format?: WeightFormat,
): Promise<OpenedModel> {
  const checkpoint = await openCheckpoint([
    new File([await bytesOf(`${folder}/config.json`)], 'config.json'),
    new File([await bytesOf(`${folder}/${file}`)], 'model.safetensors'),
  ]);
  const plan = gpt2Plan(checkpoint.config);
  checkpoint.check(plan.weights);
  for (const weight of plan.weights) {
    const stored = checkpoint.storedAs === 'other' ? 'f32' : checkpoint.storedAs;
    const kept = weight.name === 'wpe.weight' ? 'f32' : (format ?? stored);
    await backend.addWeight(weight, kept, checkpoint.readFor(kept, weight));
  }
  return { plan, backend };
}

async function bytesOf(path: string): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await readFixture(path));
}

/** Runs ids as one batch, logits of the given positions. */
export async function runIds(program: Program, ids: readonly number[], logitRows: number[]): Promise<RunResult> {
  return program.run({ rows: ids.map((token, position) => ({ token, position, slot: 0 })), logitRows });
}
