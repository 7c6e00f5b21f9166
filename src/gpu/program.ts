import type { Batch, DecodeRequest, Drawn, Program, ProgramSize, RunResult } from '../plan/backend.ts';
import { restrided } from '../plan/formats.ts';
import { part } from '../plan/part.ts';
import { joined, keyAxisOf, learns, type Plan } from '../plan/plan.ts';
import type { Profile } from '../plan/profile.ts';
import { BATCH_WORDS, placesOf, ROW_WORDS, sizesOf, writeRows } from '../plan/rows.ts';
import type { TokenScore } from '../plan/token-scores.ts';
import { Buffers, write } from './buffers.ts';
import { Decoder, drawLimits } from './decode.ts';
import { encode, prepare } from './dispatch.ts';
import type { RunSizes } from './kernel.ts';
import type { LossRows } from './kernels/adjoint-chunks.ts';
import { tokenScores } from './kernels/token-scores.ts';
import { type Compiler, compileList, type DispatchList, type Judge, LABELS_AT, layOut } from './lay-out.ts';
import type { GpuKeySource } from './place.ts';
import { Readback, type Source } from './readback.ts';
import { placeBytes } from './step-lists.ts';

/** What differentiates, for a plan that does. */
export const adjointsOf = async (plan: Plan): Promise<Pick<Compiler, 'adjoint'>> =>
  learns(plan) ? { adjoint: await part('What differentiates on a GPU', () => import('./kernels/adjoint.ts')) } : {};

/**
 * Compiles a plan into lists of dispatches, for one row (decoding), for many (prefill) and for its encoder, over the same keys. Its
 * buffers are in `owned` from the beginning: whoever frees them ends the compiling too.
 */
export async function compileProgram(
  compiler: Compiler,
  plan: Plan,
  size: ProgramSize,
  capture: ReadonlySet<string>,
  owned: Set<Buffers>,
): Promise<GpuProgram> {
  const { device, weights, pipelines } = compiler;
  const buffers = new Buffers(device);
  owned.add(buffers);
  const wanted = () => `${size.slots} × ${size.context} positions, ${buffers.bytes} bytes of cache and activations`;
  try {
    const target = { ...compiler, ...(await adjointsOf(plan)) };
    const { sources, batch, losses, lists } = await weights.allocate(buffers, wanted, () =>
      layOut(target, plan, size, capture, buffers),
    );
    const compiled = await Promise.all(lists.map((list) => compileList(device, pipelines, list)));
    const byPart = new Map(compiled.map((list) => [list.part, list]));
    const many = byPart.get('many') ?? byPart.get('one')!;
    const [one, encoder] = [byPart.get('one') ?? many, byPart.get('encoder')];
    const encoderBackward = byPart.get('encoderBackward');
    buffers.alive();
    const made = { buffers, sources, batch, losses, one, many, encoder, encoderBackward };
    return new GpuProgram({ compiler, plan, size, capture, owned, ...made });
  } catch (error) {
    buffers.destroyAll();
    owned.delete(buffers);
    throw error;
  }
}

/** What a program is made of. */
interface Parts {
  compiler: Compiler;
  plan: Plan;
  size: ProgramSize;
  capture: ReadonlySet<string>;
  /** Those of all programs of the backend. */
  owned: Set<Buffers>;
  buffers: Buffers;
  sources: ReadonlyMap<string, GpuKeySource>;
  batch: GPUBuffer;
  losses: readonly LossRows[];
  one: DispatchList;
  many: DispatchList;
  encoder: DispatchList | undefined;
  encoderBackward: DispatchList | undefined;
}

/** A compiled plan. A run writes its rows, submits one compute pass, and reads back what is wanted. */
export class GpuProgram implements Program {
  readonly size: ProgramSize;
  readonly drawLimits = drawLimits;
  readonly #device: GPUDevice;
  readonly #parts: Parts;
  readonly #readback: Readback;
  readonly #rows: Uint32Array<ArrayBuffer>;
  #decoder: Promise<Decoder> | undefined;
  /** Slots on their way to other places, kept from one move to the next. */
  #between: GPUBuffer | undefined;
  /** Settles when all that was asked for is submitted. */
  #turn: Promise<unknown> = Promise.resolve();
  /** Settles when the last run that read nothing is done. */
  #unread: Promise<unknown> = Promise.resolve();

  constructor(parts: Parts) {
    const { size } = parts;
    this.size = size;
    this.#device = parts.compiler.device;
    this.#parts = parts;
    this.#readback = new Readback(this.#device, parts.buffers);
    this.#rows = new Uint32Array(BATCH_WORDS + Math.max(size.rows, size.source ?? 0) * ROW_WORDS);
  }

  get bytes(): number {
    return this.#parts.buffers.bytes;
  }

  async run(batch: Batch): Promise<RunResult> {
    const list = this.#listFor(batch);
    const sizes = this.#runSizes(batch);
    const { read, wanted, scores } = await this.#inTurn(() => this.#submit(batch, list, sizes));
    const values = await read;
    const compact = (name: string) => {
      const parts = wanted.get(name)!.map((part) => values.get(part)!);
      return this.#compact(name, list, parts);
    };
    return {
      logits: wanted.has('logits') ? compact('logits') : new Float32Array(0),
      scores: scores ? readScores(values.get(scores)!) : [],
      captured: new Map(
        [...this.#parts.capture].filter((name) => wanted.has(name)).map((name) => [name, compact(name)]),
      ),
      sizes: { rows: sizes.rows, logitRows: sizes.logitRows, context: sizes.context, source: sizes.source },
    };
  }

  async #submit(batch: Batch, list: DispatchList, sizes: RunSizes) {
    // All that has to be waited for comes before anything is written: runs do not mix.
    const judge = batch.targets && batch.logitRows.length > 0 ? await this.#judgeOf(list) : undefined;
    // Of a gradient only what was asked for is of interest.
    const logits = judge || learns(this.#parts.plan) ? [] : ['logits'];
    const names = [...logits, ...this.#parts.capture].filter((name) => list.tensors.has(name));
    const wanted = new Map(names.map((name) => [name, this.#sourcesOf(name, list, sizes)]));
    const scores = judge && { buffer: judge.scores, offset: 0, bytes: 16 * sizes.logitRows };
    const reserved = await this.#readback.reserve([...[...wanted.values()].flat(), ...(scores ? [scores] : [])]);
    this.#writeBatch(batch, list);
    const encoder = this.#device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    encode(pass, list.dispatches, sizes);
    if (judge) {
      this.#device.queue.writeBuffer(judge.targets, 0, Uint32Array.from(batch.targets!));
      encode(pass, judge.dispatches, sizes);
    }
    pass.end();
    const read = this.#readback.read(encoder, reserved);
    read.catch(() => {}); // heard by whoever asked for the run
    // What reads nothing would be submitted without end: it waits for the one before it.
    return { read: reserved.stagings.length > 0 ? read : this.#afterLast(read), wanted, scores };
  }

  async #afterLast<T>(value: Promise<T>): Promise<T> {
    const before = this.#unread;
    this.#unread = this.#device.queue.onSubmittedWorkDone().catch(() => {}); // a loss is told by the next read
    await before;
    return value;
  }

  /** One after the other, in the order in which they were asked for, up to their submits. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const begun = this.#turn.then(() => {
      this.#parts.buffers.alive();
      return work();
    });
    this.#turn = begun.catch(() => {});
    return begun;
  }

  async profile(batch: Batch, repeats: number, signal?: AbortSignal): Promise<Profile> {
    const { buffers } = this.#parts;
    const list = this.#listFor(batch);
    const { steps } = list;
    const sizes = this.#runSizes(batch);
    const { profileSteps } = await part('What times steps', () => import('./profile.ts'));
    return this.#inTurn(async () => {
      this.#writeBatch(batch, list);
      return profileSteps({ device: this.#device, buffers, readback: this.#readback, sizes, signal }, steps, repeats);
    });
  }

  #listFor({ rows, encodes }: Batch): DispatchList {
    if (encodes === 'backward') return this.#parts.encoderBackward!;
    if (encodes) return this.#parts.encoder!;
    return rows.length === 1 ? this.#parts.one : this.#parts.many;
  }

  /** What judges targets on a list's logits, made when it is first needed. */
  #judgeOf(list: DispatchList): Promise<Judge> {
    const { device, pipelines } = this.#parts.compiler;
    const { buffers } = this.#parts;
    const make = async () => {
      const { targets, scores } = await buffers.allocate(`scores of ${this.size.logitRows} rows`, () => ({
        targets: buffers.create('targets', this.size.logitRows * 4),
        scores: buffers.create('token scores', this.size.logitRows * 16),
      }));
      const kernel = tokenScores(targets, list.tensors.get('logits')!, scores);
      return { targets, scores, dispatches: await prepare(device, pipelines, [kernel]) };
    };
    list.judge ??= make().catch((error: unknown) => {
      list.judge = undefined; // there may be room for it later
      throw error;
    });
    return list.judge;
  }

  copySlots(moves: { from: number; to: number }[], length: number): Promise<void> {
    const { context } = this.size;
    const caches = [...this.#parts.sources.values()].filter(({ axis }) => axis === 'context');
    const changed = moves.filter(({ from, to }) => from !== to);
    return this.#inTurn(async () => {
      if (changed.length * caches.length * length === 0) return;
      const widest = Math.max(...caches.map((cache) => placeBytes(cache, cache.format)));
      // Through a buffer in between: two beams may change places, and a buffer is not copied onto itself.
      const between = await this.#roomBetween(changed.length * 2 * length * widest);
      const encoder = this.#device.createCommandEncoder();
      for (const cache of caches) {
        const width = placeBytes(cache, cache.format);
        // Buffers end with whole vectors, of which keys have one half; eight bits are counted by heads.
        const values = cache.format === 'q8' ? this.size.slots * context * width : cache.buffer.size / 2;
        const at = (slot: number, half: number) => half * values + slot * context * width;
        const places = changed.flatMap((move) =>
          [0, 1].map((half) => ({ from: at(move.from, half), to: at(move.to, half) })),
        );
        places.forEach(({ from }, i) => {
          encoder.copyBufferToBuffer(cache.buffer, from, between, i * length * width, length * width);
        });
        places.forEach(({ to }, i) => {
          encoder.copyBufferToBuffer(between, i * length * width, cache.buffer, to, length * width);
        });
      }
      this.#device.queue.submit([encoder.finish()]);
    });
  }

  /** At least so many bytes, and as many again as the texts grow by, for moves are made at every token. */
  async #roomBetween(bytes: number): Promise<GPUBuffer> {
    if (this.#between && this.#between.size >= bytes) return this.#between;
    const { buffers } = this.#parts;
    const { maxBufferSize, maxStorageBufferBindingSize } = this.#device.limits;
    const size = Math.max(bytes, Math.min(2 * bytes, maxBufferSize, maxStorageBufferBindingSize));
    buffers.destroy(this.#between);
    this.#between = undefined;
    this.#between = await buffers.allocate(`a copy of ${bytes} bytes of beams`, () =>
      buffers.create('moved slots', size),
    );
    return this.#between;
  }

  spoil(): void {
    const { one, many, encoder, encoderBackward } = this.#parts;
    for (const list of new Set([one, many, encoder, encoderBackward])) {
      for (const name of [...(learns(this.#parts.plan) ? [] : ['logits']), ...this.#parts.capture]) {
        const { buffer, width, stride } = list?.tensors.get(name) ?? {};
        if (!buffer || !width || !stride) continue;
        const values = new Float32Array(buffer.size / 4);
        // The padding stays zero, as kernels read it.
        for (let row = 0; row < values.length; row += stride) values.fill(Number.NaN, row, row + width);
        this.#device.queue.writeBuffer(buffer, 0, values);
      }
    }
  }

  dispose(): void {
    this.#parts.buffers.destroyAll();
    this.#parts.owned.delete(this.#parts.buffers);
  }

  async *decode(request: DecodeRequest): AsyncGenerator<Drawn[], void> {
    const { rows } = request;
    const batch = { rows, logitRows: [rows.length - 1] };
    const decoder = await this.#inTurn(() => this.#decoderOf());
    yield* decoder.run(request, () => {
      this.#writeBatch(batch, this.#listFor(batch));
      return this.#runSizes(batch);
    });
  }

  #decoderOf(): Promise<Decoder> {
    const { one, many, buffers, batch } = this.#parts;
    const logits = ({ dispatches, tensors }: DispatchList) => ({ dispatches, logits: tensors.get('logits')!.buffer });
    const { device, pipelines } = this.#parts.compiler;
    const { vocabSize } = this.#parts.plan;
    const steps = { batch, vocabulary: vocabSize, size: this.size, one: logits(one), many: logits(many) };
    this.#decoder ??= Decoder.create(device, pipelines, buffers, steps).catch((error: unknown) => {
      this.#decoder = undefined; // there may be room for it later
      throw error;
    });
    return this.#decoder;
  }

  /** Throws `disposed` where the buffers are gone. */
  #writeBatch(batch: Batch, { steps, tensors }: DispatchList): void {
    this.#parts.buffers.alive();
    const { queue } = this.#device;
    writeRows(batch, this.size.context, this.#rows);
    queue.writeBuffer(this.#parts.batch, 0, this.#rows, 0, BATCH_WORDS + batch.rows.length * ROW_WORDS);
    if (batch.labels) {
      const perRow = batch.labels.length / batch.logitRows.length;
      for (const { first, rows, labels: to, batch: counts } of this.#parts.losses) {
        const own = batch.labels.subarray(first * perRow, (first + rows) * perRow);
        const labels = new Float32Array(LABELS_AT + own.length);
        labels[0] = batch.lossScale ?? 1;
        labels.set(own, LABELS_AT);
        queue.writeBuffer(to, 0, labels);
        if (counts) queue.writeBuffer(counts, 0, Uint32Array.of(batch.rows.length, own.length));
      }
    }
    for (const { step } of steps) {
      if (step.op !== 'input') continue;
      const { buffer, width, stride } = tensors.get(step.output)!;
      write(this.#device, buffer, 0, restrided(batch.input!, width, stride));
    }
  }

  #runSizes(batch: Batch): RunSizes {
    const inTiles = (axis: 'context' | 'source') => areTiles(batch, axis, this.size.context);
    return { ...sizesOf(batch), tiles: { context: inTiles('context'), source: inTiles('source') } };
  }

  /** Where this run's part of a tensor is. */
  #sourcesOf(name: string, list: DispatchList, sizes: RunSizes): Source[] {
    const spec = this.#parts.plan.tensors.get(name)!;
    const { buffer, stride, axis, rows, fixed } = list.tensors.get(name)!;
    const keys = keyAxisOf(spec);
    const perRow = keys ? (spec.shape[0] as number) * sizes[keys] : stride;
    const parts = list.parts.get(buffer) ?? [{ buffer, rows: fixed ? rows : sizes[axis] }];
    return parts.map((part) => ({ buffer: part.buffer, bytes: 4 * part.rows * perRow }));
  }

  /** What was read of a tensor, without its padding: as its spec's shape says. */
  #compact(name: string, list: DispatchList, parts: readonly (Float32Array | undefined)[]): Float32Array {
    const { width, stride } = list.tensors.get(name)!;
    const isWhole = keyAxisOf(this.#parts.plan.tensors.get(name)!);
    const none = new Float32Array(0) as Float32Array; // what has no rows in this run is not read
    const own = parts.map((one = none) => (isWhole ? one : restrided(one, stride, width)));
    const [first = none, ...more] = own;
    return more.length === 0 ? first : joined(own);
  }
}

/**
 * Whether attention may take the rows in tiles, which walk from the first row's first key to the last row's last: ranges of keys go
 * forward and leave no gap, as those of one slot do, of packed texts, and of a window that slides.
 */
function areTiles({ rows }: Batch, axis: 'context' | 'source', context: number): boolean {
  let before: { first: number; count: number } | undefined;
  return rows.every((row) => {
    const seen = placesOf(row, { nHead: 1, headDim: 1, axis }, context);
    const [end, last] = [seen.first + seen.count, before ? before.first + before.count : seen.first];
    const follows = seen.first >= (before?.first ?? 0) && seen.first <= last && end >= last;
    before = seen;
    return follows;
  });
}

function readScores(values: Float32Array): TokenScore[] {
  return Array.from({ length: values.length / 4 }, (_, r) => {
    const [logprob, rank, entropy] = values.subarray(4 * r) as unknown as [number, number, number];
    return { logprob, rank, entropy };
  });
}
