import type { ProgramSize } from '../plan/backend.ts';
import type { KvFormat } from '../plan/kv.ts';
import { assignBuffers } from '../plan/liveness.ts';
import { keyAxisOf, learns, type Plan, type Step, stepOutputs, stepsOf, widthOf } from '../plan/plan.ts';
import { BATCH_WORDS, ROW_WORDS } from '../plan/rows.ts';
import type { Buffers } from './buffers.ts';
import { type Dispatch, prepare } from './dispatch.ts';
import type { Kernel } from './kernel.ts';
import { gpuShape, lowerAll, type Target } from './lower.ts';
import type { GpuKeySource, GpuTensor } from './place.ts';
import type { CompiledStep } from './profile.ts';
import { stagingsOf } from './readback.ts';
import type { Pipelines } from './shader.ts';
import { type StepList, sourceBytes, stepListsOf } from './step-lists.ts';
import type { WeightStore } from './weight-store.ts';

/** A device with the weights on it. */
export interface Compiler extends Target {
  device: GPUDevice;
  pipelines: Pipelines;
  weights: WeightStore;
  kv: KvFormat;
}

/** The steps as dispatches, with the tensors they work on. */
export interface DispatchList extends Omit<KernelList, 'steps'> {
  steps: CompiledStep[];
  dispatches: Dispatch[];
  judge?: Promise<Judge>;
}

/** Judges target ids where the logits are. */
export interface Judge {
  targets: GPUBuffer;
  /** [logitRows, 4] */
  scores: GPUBuffer;
  dispatches: Dispatch[];
}

/** The steps as kernels with their buffers, not compiled yet. */
interface KernelList {
  part: StepList['part'];
  steps: { step: Step; kernels: Kernel[] }[];
  tensors: Map<string, GpuTensor>;
}

/** Makes all buffers of a program. */
export function layOut(on: Compiler, plan: Plan, size: ProgramSize, capture: ReadonlySet<string>, buffers: Buffers) {
  // Gradients are too small for halves.
  const kv = learns(plan) ? 'f32' : on.kv;
  const sources = makeSources(plan, size, kv, (name, bytes) => buffers.create(`keys of ${name}`, bytes));
  const rows = Math.max(size.rows, size.source ?? 0);
  const batch = buffers.create('batch', 4 * (BATCH_WORDS + rows * ROW_WORDS));
  const unused = buffers.create('unused', 16);
  const labels = learns(plan) ? buffers.create('labels', labelBytes(plan, size)) : unused;
  const stepLists = stepListsOf(plan, size, on, capture);
  const lists = groupsOf(plan, stepLists).flatMap((group) => {
    const tensors = makeTensors(plan, group, capture, buffers);
    return group.map((list): KernelList => {
      const steps = lowerAll(plan, list, on, {
        ...{ batch, unused, labels, buffers },
        tensor: (name) => tensors.get(name)!.buffer,
        source: (name) => sources.get(name)!,
      });
      const own = new Set(list.steps.flatMap(stepOutputs));
      return { part: list.part, steps, tensors: new Map([...tensors].filter(([name]) => own.has(name))) };
    });
  });
  return { sources, batch, labels, lists };
}

/** A label for each logit, at most, behind the loss's scale. */
const labelBytes = (plan: Plan, { logitRows }: ProgramSize) =>
  4 * (LABELS_AT + logitRows * widthOf(plan.tensors.get('logits')!));
/** Numbers before the labels. */
export const LABELS_AT = 4;

/** Bytes of all buffers that `layOut` would make for a plan without edits. */
export function programBytes(
  plan: Plan,
  size: ProgramSize,
  on: Pick<Compiler, 'kv' | 'weights'>,
  capture: ReadonlySet<string> = new Set(),
): number {
  let bytes = 16;
  const create = (_: string, more: number) => {
    bytes += Math.max(16, Math.ceil(more / 16) * 16);
    return { size: more } as GPUBuffer;
  };
  makeSources(plan, size, learns(plan) ? 'f32' : on.kv, create);
  create('batch', 4 * (BATCH_WORDS + Math.max(size.rows, size.source ?? 0) * ROW_WORDS));
  if (learns(plan)) create('labels', labelBytes(plan, size));
  const groups = groupsOf(plan, stepListsOf(plan, size, on, capture));
  const reads = groups.flatMap((lists) => {
    const tensors = makeTensors(plan, lists, capture, { create });
    const made = lists.map(({ steps }) => new Set(steps.flatMap(stepOutputs)));
    return made.map((names) =>
      [...capture].filter((name) => names.has(name)).map((name) => tensors.get(name)!.buffer.size),
    );
  });
  // What is wanted of a gradient is read after each of its runs.
  if (learns(plan)) for (const staging of stagingsOf(reads)) create('readback', staging);
  return bytes;
}

/** Lists that share their tensors: a gradient reads what the lists before its own have left. */
const groupsOf = (plan: Plan, lists: StepList[]) => (learns(plan) ? [lists] : lists.map((list) => [list]));

/** Memory for the keys; those of a run's own rows share it where one source is done with before the next one is filled. */
export function makeSources(
  plan: Plan,
  size: ProgramSize,
  kv: KvFormat,
  create: (name: string, bytes: number) => GPUBuffer,
): Map<string, GpuKeySource> {
  const lives = livesOf(stepsOf(plan));
  const shared: { buffer: GPUBuffer; bytes: number; lives: Life[] }[] = [];
  return new Map(
    [...plan.sources].map(([name, source]) => {
      const bytes = sourceBytes(source, size, kv);
      const life = source.axis === 'rows' ? lives.get(name) : undefined;
      const free =
        life && shared.find((one) => one.bytes === bytes && one.lives.every((other) => areApart(life, other)));
      const buffer = free?.buffer ?? create(name, bytes);
      if (free) free.lives.push(life);
      else if (life) shared.push({ buffer, bytes, lives: [life] });
      return [name, { ...source, format: kv, buffer }];
    }),
  );
}

/** The first and the last step that use a source. */
interface Life {
  first: number;
  last: number;
}

const areApart = (a: Life, b: Life) => a.last < b.first || b.last < a.first;

function livesOf(steps: readonly Step[]): Map<string, Life> {
  const lives = new Map<string, Life>();
  steps.forEach((step, i) => {
    const names = ['source' in step && step.source, 'into' in step && step.into, step.op === 'linear' && step.cache];
    for (const name of names) if (name) lives.set(name, { first: lives.get(name)?.first ?? i, last: i });
  });
  return lives;
}

export async function compileList(device: GPUDevice, pipelines: Pipelines, list: KernelList): Promise<DispatchList> {
  const all = list.steps.flatMap(({ kernels }) => kernels);
  const dispatches = await prepare(device, pipelines, all);
  let next = 0;
  const steps = list.steps.map(({ step, kernels }) => ({
    step,
    shaders: [...new Set(kernels.flatMap(({ files }) => files))],
    dispatches: dispatches.slice(next, (next += kernels.length)),
  }));
  return { ...list, steps, dispatches };
}

function makeTensors(plan: Plan, lists: StepList[], capture: ReadonlySet<string>, buffers: Pick<Buffers, 'create'>) {
  const keep = new Set([...capture, 'logits']);
  const listOf = new Map(
    [...lists].reverse().flatMap((list) => list.steps.flatMap(stepOutputs).map((name) => [name, list])),
  );
  const shape = (name: string) => gpuShape(plan, name, listOf.get(name)!);
  // What is kept shares with nothing: `spoil` fills it with NaN, which must not turn up in another tensor's padding.
  const pool = (name: string) => (keep.has(name) ? name : keyAxisOf(plan.tensors.get(name)!) ? 'attention' : 'rows');
  const joined = new Map(lists.flatMap((list) => [...list.joined]));
  const same = (name: string) => joined.get(name)?.first ?? name;
  const { bufferOf, sizes } = assignBuffers(
    lists.flatMap(({ steps }) => steps),
    (name) => shape(name).length,
    keep,
    pool,
    same,
  );
  const made = sizes.map((floats, i) => buffers.create(`tensor ${i}`, floats * 4));
  const names = new Set([...bufferOf.keys(), ...joined.keys()]);
  return new Map(
    [...names].map((name) => [name, { buffer: made[bufferOf.get(same(name))!]!, ...shape(name) }] as const),
  );
}
