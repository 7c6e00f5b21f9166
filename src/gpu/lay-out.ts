import type { ProgramSize } from '../plan/backend.ts';
import type { KvFormat } from '../plan/kv.ts';
import { assignBuffers } from '../plan/liveness.ts';
import { keyAxisOf, learns, type Plan, type Step, stepOutputs, stepsOf, widthOf } from '../plan/plan.ts';
import { BATCH_WORDS, ROW_WORDS } from '../plan/rows.ts';
import type { Buffers } from './buffers.ts';
import { type Dispatch, prepare } from './dispatch.ts';
import type { Kernel } from './kernel.ts';
import type { Chunks, LossRows } from './kernels/adjoint-chunks.ts';
import { gpuShape, lowerAll, type Target } from './lower.ts';
import type { GpuKeySource, GpuTensor, TensorPart } from './place.ts';
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
  /** Of tensors in several buffers, by the first of them. */
  parts: ReadonlyMap<GPUBuffer, readonly TensorPart[]>;
}

/** All buffers of a tensor. */
export const buffersOf = ({ buffer }: GpuTensor, parts: KernelList['parts']): GPUBuffer[] =>
  parts.get(buffer)?.map((part) => part.buffer) ?? [buffer];

/** Makes all buffers of a program. */
export function layOut(
  compiler: Compiler,
  plan: Plan,
  size: ProgramSize,
  capture: ReadonlySet<string>,
  buffers: Buffers,
) {
  const room = roomFor(compiler, plan, size, capture, (label, bytes) => buffers.create(label, bytes));
  const { batch, unused, sources, losses, chunks } = room;
  const lists = room.groups.flatMap(({ lists, tensors, parts }) =>
    lists.map((list): KernelList => {
      const to = {
        ...{ batch, unused, labels: losses[0]?.labels ?? unused, buffers, parts },
        tensor: (name: string) => tensors.get(name)!.buffer,
        source: (name: string) => sources.get(name)!,
      };
      const lower = (steps: readonly Step[], on?: Pick<LossRows, 'batch' | 'labels'>) =>
        lowerAll(plan, { ...list, steps: [...steps] }, compiler, { ...to, ...on });
      const own = new Set(list.steps.flatMap(stepOutputs));
      return {
        ...{ part: list.part, parts, tensors: new Map([...tensors].filter(([name]) => own.has(name))) },
        steps:
          list.part === 'many' && chunks
            ? compiler.adjoint!.lowerInChunks(list.steps, chunks, { losses, tensors }, lower)
            : lower(list.steps),
      };
    }),
  );
  return { sources, batch, losses, lists };
}

type Create = (label: string, bytes: number) => GPUBuffer;

/** What of a compiler tells how much a program takes. */
type Measuring = Pick<Compiler, 'kv' | 'weights' | 'adjoint'> & { device: Pick<GPUDevice, 'limits'> };

/** The buffers of a program, made by `create`. */
function roomFor(
  { kv, weights, adjoint, device }: Measuring,
  plan: Plan,
  size: ProgramSize,
  capture: ReadonlySet<string>,
  create: Create,
) {
  // Gradients are too small for halves.
  const format = adjoint ? 'f32' : kv;
  const sources = makeSources(plan, size, format, (name, bytes) => create(`keys of ${name}`, bytes));
  const rows = Math.max(size.rows, size.source ?? 0);
  const batch = create('batch', 4 * (BATCH_WORDS + rows * ROW_WORDS));
  const unused = create('unused', 16);
  const lists = stepListsOf(plan, size, { weights, kv, rules: adjoint?.gradientRules }, capture);
  const mostBytes = Math.min(device.limits.maxBufferSize, device.limits.maxStorageBufferBindingSize);
  const many = lists.find(({ part }) => part === 'many');
  const chunks = many && adjoint?.chunksOf(plan, many, capture, mostBytes);
  const losses = adjoint ? lossRowsOf(plan, size, chunks, create) : [];
  const tensorsOf = (lists: StepList[]) => makeTensors(plan, lists, capture, create, mostBytes, chunks);
  const groups = groupsOf(plan, lists).map((lists) => ({ lists, ...tensorsOf(lists) }));
  return { sources, batch, unused, losses, chunks, groups };
}

function lossRowsOf(plan: Plan, { logitRows }: ProgramSize, chunks: Chunks | undefined, create: Create): LossRows[] {
  const isOfIds = plan.steps.some((step) => step.op === 'adjoint' && step.of === 'crossEntropy');
  const perRow = isOfIds ? 1 : widthOf(plan.tensors.get('logits')!);
  const { rows, count } = chunks ?? { rows: logitRows, count: 1 };
  return Array.from({ length: count }, (_, i) => ({
    ...{ first: i * rows, rows, labels: create('labels', 4 * (LABELS_AT + rows * perRow)) },
    ...(chunks && { batch: create('batch of a chunk', 4 * (BATCH_WORDS + ROW_WORDS)) }),
  }));
}
/** Numbers before the labels. */
export const LABELS_AT = 4;

/** Bytes of all buffers that `layOut` would make for a plan without edits; of a gradient, also of those through which it is read. */
export function programBytes(plan: Plan, size: ProgramSize, on: Measuring, capture: ReadonlySet<string> = new Set()) {
  let bytes = 0;
  const create = (_: string, size: number) => {
    bytes += Math.max(16, Math.ceil(size / 16) * 16);
    return { size } as GPUBuffer;
  };
  const { groups } = roomFor(on, plan, size, capture, create);
  if (!on.adjoint) return bytes;
  const reads = groups.flatMap(({ lists, tensors, parts }) =>
    lists.map(({ steps }) => {
      const made = new Set(steps.flatMap(stepOutputs));
      return [...capture]
        .filter((name) => made.has(name))
        .flatMap((name) => buffersOf(tensors.get(name)!, parts).map(({ size }) => size));
    }),
  );
  for (const staging of stagingsOf(reads)) create('readback', staging);
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

function makeTensors(
  plan: Plan,
  lists: readonly StepList[],
  capture: ReadonlySet<string>,
  create: Create,
  mostBytes: number,
  chunks: Chunks | undefined,
) {
  // Nobody reads the logits of a loss but who asks for them: their gradient takes their place.
  const keep = new Set([...capture, ...(learns(plan) ? [] : ['logits'])]);
  const steps = lists.flatMap((list) => list.steps);
  const gradient = gradientOfLogits(steps, capture);
  const listOf = new Map(
    [...lists].reverse().flatMap((list) => list.steps.flatMap(stepOutputs).map((name) => [name, list])),
  );
  const shape = (name: string) => {
    const list = listOf.get(name)!;
    if (!chunks?.names.has(name)) return gpuShape(plan, name, list);
    return gpuShape(plan, name, { ...list, sizes: { ...list.sizes, logitRows: chunks.rows } });
  };
  // What is kept shares with nothing: `spoil` fills it with NaN, which must not turn up in another tensor's padding.
  const pool = (name: string) => (keep.has(name) ? name : keyAxisOf(plan.tensors.get(name)!) ? 'attention' : 'rows');
  const joined = new Map(lists.flatMap((list) => [...list.joined]));
  const same = (name: string) => (name === gradient ? 'logits' : (joined.get(name)?.first ?? name));
  const { bufferOf, sizes } = assignBuffers(steps, (name) => shape(name).length, keep, pool, same);
  const made: GPUBuffer[] = [];
  const parts = new Map<GPUBuffer, TensorPart[]>();
  // The gradient of a table of words may be more than can be bound.
  for (const [name, i] of bufferOf) {
    const { fixed, rows, stride } = shape(name);
    const most = Math.floor(mostBytes / (4 * stride));
    if (!fixed || rows <= most || !capture.has(name)) continue;
    const all = Array.from({ length: Math.ceil(rows / most) }, (_, p): TensorPart => {
      const own = { first: p * most, rows: Math.min(most, rows - p * most) };
      return { buffer: create(`${name}, from row ${own.first}`, own.rows * stride * 4), ...own };
    });
    made[i] = all[0]!.buffer;
    parts.set(made[i], all);
  }
  for (const [i, floats] of sizes.entries()) made[i] ??= create(`tensor ${i}`, floats * 4);
  const names = new Set([...bufferOf.keys(), ...joined.keys(), ...(gradient ? [gradient] : [])]);
  const tensors = new Map(
    [...names].map((name) => [name, { buffer: made[bufferOf.get(same(name))!]!, ...shape(name) }] as const),
  );
  return { tensors, parts };
}

/** The name of a loss's result, if nobody asks for it. */
function gradientOfLogits(steps: readonly Step[], capture: ReadonlySet<string>): string | undefined {
  const loss = steps.find((step) => step.op === 'adjoint' && step.of === 'crossEntropy');
  const name = loss && stepOutputs(loss)[0];
  return name === undefined || capture.has(name) || capture.has('logits') ? undefined : name;
}
