import type { ProgramSize } from '../plan/backend.ts';
import { embedding, fuse, normedLinear, type Rule } from '../plan/fuse.ts';
import { assignBuffers } from '../plan/liveness.ts';
import type { Plan, Step } from '../plan/plan.ts';
import type { Buffers } from './buffers.ts';
import { type Dispatch, prepare } from './dispatch.ts';
import type { CacheFormat, GpuTensor, Kernel, Scene } from './kernel.ts';
import type { AttentionVariant } from './kernels/attention.ts';
import type { Variants } from './kernels/linear.ts';
import { gpuShape, type Lowering, lower } from './lower.ts';
import type { CompiledStep } from './profile.ts';
import type { Pipelines } from './shader.ts';
import type { WeightStore } from './weight-store.ts';
import type { Weights } from './weights.ts';

export interface ProgramMaker {
  device: GPUDevice;
  pipelines: Pipelines;
  weights: WeightStore;
  rules: readonly Rule[];
  variants: Variants;
  attention: AttentionVariant;
  kv: CacheFormat;
}

/** The steps as dispatches for up to `rows` rows, with the tensors they work on. */
export interface DispatchList {
  steps: CompiledStep[];
  dispatches: Dispatch[];
  tensors: Map<string, GpuTensor>;
  rows: number;
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
  steps: { step: Step; kernels: Kernel[] }[];
  tensors: Map<string, GpuTensor>;
  rows: number;
}

/** Makes all buffers of a program. */
export function layOut(
  maker: ProgramMaker,
  plan: Plan,
  size: ProgramSize,
  capture: ReadonlySet<string>,
  buffers: Buffers,
) {
  const caches = Array.from({ length: plan.nLayer }, (_, layer) =>
    buffers.create(`KV cache ${layer}`, 2 * size.slots * size.context * keyBytes(plan, maker.kv)),
  );
  const batch = buffers.create('batch', 16 + size.rows * 16);
  const unused = buffers.create('unused', 16);
  const list = (rows: number, shape: Lowering['shape']) =>
    layOutList(maker, plan, { ...size, rows }, capture, { caches, batch, unused, shape, buffers });
  const lists = [list(1, 'row'), ...(size.rows > 1 ? [list(size.rows, 'tile')] : [])];
  return { caches, batch, lists };
}

type Shared = Pick<Lowering, 'caches' | 'unused' | 'shape' | 'buffers'> & { batch: GPUBuffer };

function layOutList(
  { weights, rules, variants, attention, kv }: ProgramMaker,
  plan: Plan,
  size: ProgramSize,
  capture: ReadonlySet<string>,
  { batch, ...shared }: Shared,
): KernelList {
  const scene: Scene = { ...size, nHead: plan.nHead, headDim: plan.headDim, batch, kv };
  const steps = fuse(plan.steps, rulesFor(plan, weights, shared.shape, rules), capture);
  const sizes = { rows: size.rows, logitRows: Math.min(size.rows, size.logitRows), context: size.context };
  const tensors = makeTensors(plan, steps, sizes, capture, shared.buffers);
  const lowering: Lowering = {
    plan,
    scene,
    weights,
    tensor: (name) => tensors.get(name)!,
    variants,
    attention,
    ...shared,
  };
  return { steps: steps.map((step) => ({ step, kernels: lower(step, lowering) })), tensors, rows: size.rows };
}

export async function compileList(device: GPUDevice, pipelines: Pipelines, list: KernelList): Promise<DispatchList> {
  const all = list.steps.flatMap(({ kernels }) => kernels);
  const dispatches = await prepare(device, pipelines, all);
  let next = 0;
  const steps = list.steps.map(({ step, kernels }) => ({
    step,
    shaders: [...new Set(kernels.flatMap(({ files }) => files.map(({ name }) => name)))],
    dispatches: dispatches.slice(next, (next += kernels.length)),
  }));
  return { ...list, steps, dispatches };
}

/** Without rules that do not hold here: a norm inside a tile would be computed for every tile, and `embedding` binds one table of positions. */
export function rulesFor(plan: Plan, weights: Weights, shape: Lowering['shape'], rules: readonly Rule[]): Rule[] {
  const positions = plan.steps.find((step) => step.op === 'positionEmbed');
  const table = positions && weights.matrix(positions.weight);
  const exactPositions = table?.format === 'f32' && table.parts.length === 1;
  return rules.filter((rule) => (rule !== normedLinear || shape === 'row') && (rule !== embedding || exactPositions));
}

function makeTensors(
  plan: Plan,
  steps: readonly Step[],
  sizes: { rows: number; logitRows: number; context: number },
  capture: ReadonlySet<string>,
  buffers: Buffers,
): Map<string, GpuTensor> {
  const keep = new Set([...capture, 'logits']);
  const length = (name: string) => gpuShape(plan, name, sizes).length;
  const pool = (name: string) => (plan.tensors.get(name)!.shape.includes('context') ? 'attention' : 'rows');
  const { bufferOf, sizes: lengths } = assignBuffers(steps, length, keep, pool);
  const made = lengths.map((floats, i) => buffers.create(`tensor ${i}`, floats * 4));
  return new Map(
    [...bufferOf].map(([name, i]) => [name, { buffer: made[i]!, ...gpuShape(plan, name, sizes) }] as const),
  );
}

/** Bytes of a position's keys, or values, of all heads. */
export function keyBytes({ nHead, headDim }: Plan, kv: CacheFormat): number {
  return nHead * headDim * (kv === 'f16' ? 2 : 4);
}
