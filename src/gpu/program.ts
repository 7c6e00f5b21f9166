import type { Batch, DecodeRequest, Drawn, Program, ProgramSize, RunResult } from '../plan/backend.ts';
import { VitrineError } from '../plan/error.ts';
import { embedding, fuse, normedLinear, type Rule } from '../plan/fuse.ts';
import { assignBuffers } from '../plan/liveness.ts';
import type { Plan, Step } from '../plan/plan.ts';
import type { Profile } from '../plan/profile.ts';
import type { TokenScore } from '../plan/token-scores.ts';
import { Buffers } from './buffers.ts';
import { Decoder, drawLimits } from './decode.ts';
import { type Dispatch, encode, prepare } from './dispatch.ts';
import type { CacheFormat, GpuTensor, RunSizes, Scene } from './kernel.ts';
import type { AttentionVariant } from './kernels/attention.ts';
import type { Variants } from './kernels/linear.ts';
import { tokenScores } from './kernels/token-scores.ts';
import { gpuShape, type Lowering, lower } from './lower.ts';
import { type CompiledStep, profileSteps } from './profile.ts';
import { Readback } from './readback.ts';
import type { Pipelines } from './shader.ts';
import type { WeightStore } from './weight-store.ts';
import type { Weights } from './weights.ts';

/** The steps as dispatches for up to `rows` rows, with the tensors they work on. */
interface DispatchList {
  steps: CompiledStep[];
  dispatches: Dispatch[];
  tensors: Map<string, GpuTensor>;
  rows: number;
  judge?: Promise<Judge>;
}

/** Judges target ids where the logits are. */
interface Judge {
  targets: GPUBuffer;
  /** [logitRows, 4] */
  scores: GPUBuffer;
  dispatches: Dispatch[];
}

export interface ProgramMaker {
  device: GPUDevice;
  pipelines: Pipelines;
  weights: WeightStore;
  rules: readonly Rule[];
  variants: Variants;
  attention: AttentionVariant;
  kv: CacheFormat;
}

/** Compiles a plan into two lists of dispatches, for one row (decoding) and for many (prefill), over one KV cache. */
export async function compileProgram(
  maker: ProgramMaker,
  plan: Plan,
  size: ProgramSize,
  capture: ReadonlySet<string>,
  onDispose: (program: GpuProgram) => void,
): Promise<GpuProgram> {
  const buffers = new Buffers(maker.device);
  try {
    const caches = Array.from({ length: plan.nLayer }, (_, layer) =>
      buffers.create(`KV cache ${layer}`, 2 * size.slots * size.context * keyBytes(plan, maker.kv)),
    );
    const batch = buffers.create('batch', 16 + size.rows * 16);
    const unused = buffers.create('unused', 16);
    const list = (rows: number, shape: Lowering['shape']) =>
      compileList(maker, plan, { ...size, rows }, capture, { caches, batch, unused, shape, buffers });
    const [one, many] = await Promise.all([list(1, 'row'), size.rows > 1 ? list(size.rows, 'tile') : undefined]);
    return new GpuProgram(maker, plan, size, capture, { buffers, caches, batch, one, many: many ?? one }, onDispose);
  } catch (error) {
    buffers.destroyAll();
    throw error;
  }
}

type Shared = Pick<Lowering, 'caches' | 'unused' | 'shape' | 'buffers'> & { batch: GPUBuffer };

async function compileList(
  { device, pipelines, weights, rules, variants, attention, kv }: ProgramMaker,
  plan: Plan,
  size: ProgramSize,
  capture: ReadonlySet<string>,
  { batch, ...shared }: Shared,
): Promise<DispatchList> {
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
  const compiled = await Promise.all(
    steps.map(async (step) => {
      const kernels = lower(step, lowering);
      const shaders = [...new Set(kernels.flatMap(({ files }) => files.map(({ name }) => name)))];
      return { step, shaders, dispatches: await prepare(device, pipelines, kernels) };
    }),
  );
  const dispatches = compiled.flatMap((one) => one.dispatches);
  return { steps: compiled, dispatches, tensors, rows: size.rows };
}

/** Rules that do not hold here: a norm inside a tile would be computed again for every tile. */
export function rulesFor(plan: Plan, weights: Weights, shape: Lowering['shape'], rules: readonly Rule[]): Rule[] {
  const positions = plan.steps.find((step) => step.op === 'positionEmbed');
  const exactPositions = positions && weights.matrix(positions.weight).format === 'f32';
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

/** A compiled plan. A run writes its rows, submits one compute pass, and reads back what is wanted. */
export class GpuProgram implements Program {
  readonly size: ProgramSize;
  readonly drawLimits = drawLimits;
  readonly #maker: ProgramMaker;
  readonly #device: GPUDevice;
  readonly #plan: Plan;
  readonly #capture: ReadonlySet<string>;
  readonly #parts: { buffers: Buffers; caches: GPUBuffer[]; batch: GPUBuffer; one: DispatchList; many: DispatchList };
  readonly #readback: Readback;
  readonly #onDispose: (program: GpuProgram) => void;
  readonly #rows: Uint32Array<ArrayBuffer>;
  #decoder: Promise<Decoder> | undefined;
  #disposed = false;

  constructor(
    maker: ProgramMaker,
    plan: Plan,
    size: ProgramSize,
    capture: ReadonlySet<string>,
    parts: { buffers: Buffers; caches: GPUBuffer[]; batch: GPUBuffer; one: DispatchList; many: DispatchList },
    onDispose: (program: GpuProgram) => void,
  ) {
    this.#maker = maker;
    this.#device = maker.device;
    this.#plan = plan;
    this.size = size;
    this.#capture = capture;
    this.#parts = parts;
    this.#readback = new Readback(maker.device, parts.buffers);
    this.#onDispose = onDispose;
    this.#rows = new Uint32Array(4 + size.rows * 4);
  }

  get bytes(): number {
    return this.#parts.buffers.bytes;
  }

  async run(batch: Batch): Promise<RunResult> {
    const list = batch.rows.length === 1 ? this.#parts.one : this.#parts.many;
    // Awaited before anything is written: runs stay in the order in which they were asked for.
    const judge = batch.targets && batch.logitRows.length > 0 ? await this.#judgeOf(list) : undefined;
    const sizes = this.#writeRows(batch);
    const encoder = this.#device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    encode(pass, list.dispatches, sizes);
    if (judge) {
      this.#device.queue.writeBuffer(judge.targets, 0, Uint32Array.from(batch.targets!));
      encode(pass, judge.dispatches, sizes);
    }
    pass.end();
    const wanted = [...(judge ? [] : ['logits']), ...this.#capture].filter((name) => list.tensors.has(name));
    const sources = wanted.map((name) => this.#sources(name, list, sizes));
    if (judge) sources.push([{ buffer: judge.scores, offset: 0, bytes: 16 * sizes.logitRows }]);
    const values = await this.#readback.read(encoder, sources.flat());
    const read = new Map(
      wanted.map((name, i) => {
        const before = sources.slice(0, i).flat().length;
        return [name, this.#compact(name, values.slice(before, before + sources[i]!.length), list, sizes)];
      }),
    );
    return {
      logits: read.get('logits') ?? new Float32Array(0),
      scores: judge ? readScores(values.at(-1)!) : [],
      captured: new Map([...this.#capture].map((name) => [name, read.get(name)!])),
      keys: sizes.keys,
    };
  }

  async profile(batch: Batch, repeats: number): Promise<Profile> {
    const { one, many, buffers } = this.#parts;
    const { steps } = batch.rows.length === 1 ? one : many;
    const stage = { device: this.#device, buffers, readback: this.#readback, sizes: this.#writeRows(batch) };
    return profileSteps(stage, steps, repeats);
  }

  /** What judges targets on a list's logits, made when it is first needed. */
  #judgeOf(list: DispatchList): Promise<Judge> {
    const { device, pipelines } = this.#maker;
    const { buffers } = this.#parts;
    list.judge ??= (async () => {
      const targets = buffers.create('targets', this.size.logitRows * 4);
      const scores = buffers.create('token scores', this.size.logitRows * 16);
      const kernel = tokenScores(targets, list.tensors.get('logits')!, scores);
      return { targets, scores, dispatches: await prepare(device, pipelines, [kernel]) };
    })();
    return list.judge;
  }

  copySlots(moves: { from: number; to: number }[], length: number): void {
    const { slots, context } = this.size;
    const width = keyBytes(this.#plan, this.#maker.kv);
    const changed = moves.filter(({ from, to }) => from !== to);
    if (changed.length === 0 || length === 0) return;
    // Through a buffer in between: two beams may change places, and a buffer is not copied onto itself.
    const between = this.#parts.buffers.create('moved slots', changed.length * 2 * length * width);
    const encoder = this.#device.createCommandEncoder();
    for (const cache of this.#parts.caches) {
      const at = (slot: number, half: number) => (half * slots + slot) * context * width;
      const places = changed.flatMap((move) =>
        [0, 1].map((half) => ({ from: at(move.from, half), to: at(move.to, half) })),
      );
      places.forEach(({ from }, i) => {
        encoder.copyBufferToBuffer(cache, from, between, i * length * width, length * width);
      });
      places.forEach(({ to }, i) => {
        encoder.copyBufferToBuffer(between, i * length * width, cache, to, length * width);
      });
    }
    this.#device.queue.submit([encoder.finish()]);
    // Freed once the commands that use it are done, as WebGPU guarantees.
    this.#parts.buffers.destroy(between);
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#parts.buffers.destroyAll();
    this.#onDispose(this);
  }

  async *decode(request: DecodeRequest): AsyncGenerator<Drawn[], void> {
    const { one, many, buffers, batch } = this.#parts;
    const logits = ({ dispatches, tensors }: DispatchList) => ({ dispatches, logits: tensors.get('logits')!.buffer });
    const { device, pipelines } = this.#maker;
    this.#decoder ??= Decoder.create(device, pipelines, buffers, {
      batch,
      vocabulary: this.#plan.vocabSize,
      context: this.size.context,
      one: logits(one),
      many: logits(many),
    });
    const decoder = await this.#decoder;
    const { rows } = request;
    yield* decoder.run(request, this.#writeRows({ rows, logitRows: [rows.length - 1] }));
  }

  #writeRows({ rows, logitRows }: Batch): RunSizes {
    if (this.#disposed) throw new VitrineError('disposed', 'The program was disposed.');
    const keys = 1 + Math.max(...rows.map((row) => row.position));
    this.#rows.set([rows.length, logitRows.length, keys, 0]);
    rows.forEach(({ token, position, slot }, i) => {
      this.#rows.set([token, position, slot, logitRows[i] ?? 0], 4 + i * 4);
    });
    this.#device.queue.writeBuffer(this.#parts.batch, 0, this.#rows, 0, 4 + rows.length * 4);
    const oneSlot = rows.every(({ slot }) => slot === rows[0]!.slot);
    return { rows: rows.length, logitRows: logitRows.length, keys, oneSlot };
  }

  /** Where the rows of this run are in a tensor: for each head, where it has them first. */
  #sources(name: string, list: DispatchList, sizes: RunSizes): { buffer: GPUBuffer; offset: number; bytes: number }[] {
    const { shape } = this.#plan.tensors.get(name)!;
    const { buffer, stride } = list.tensors.get(name)!;
    const rows = shape[0] === 'logitRows' ? sizes.logitRows : sizes.rows;
    const heads = shape.includes('context') ? this.#plan.nHead : 1;
    const bytes = 4 * rows * stride;
    return Array.from({ length: heads }, (_, head) => ({ buffer, offset: 4 * head * list.rows * stride, bytes }));
  }

  /** Takes the padding out: the tensor as its spec's shape says, `keys` long in its context axis. */
  #compact(name: string, heads: Float32Array[], list: DispatchList, { keys }: RunSizes): Float32Array {
    const { width, stride } = list.tensors.get(name)!;
    const taken = this.#plan.tensors.get(name)!.shape.includes('context') ? keys : width;
    if (heads.length === 1 && taken === stride) return heads[0]!;
    const rows = heads[0]!.length / stride;
    const values = new Float32Array(heads.length * rows * taken);
    for (let run = 0; run < heads.length * rows; run++) {
      const from = (run % rows) * stride;
      values.set(heads[Math.floor(run / rows)]!.subarray(from, from + taken), run * taken);
    }
    return values;
  }
}

/** Bytes of a position's keys, or values, of all heads. */
export function keyBytes({ nHead, headDim }: Plan, kv: CacheFormat): number {
  return nHead * headDim * (kv === 'f16' ? 2 : 4);
}

function readScores(values: Float32Array): TokenScore[] {
  return Array.from({ length: values.length / 4 }, (_, r) => {
    const [logprob, rank, entropy] = values.subarray(4 * r) as unknown as [number, number, number];
    return { logprob, rank, entropy };
  });
}
