import { applyEdits } from '../plan/apply-edits.ts';
import type { Batch, LogitRow, Program, ProgramSize, RunResult } from '../plan/backend.ts';
import { badCheckpoint, VitrineError } from '../plan/error.ts';
import { strideOf } from '../plan/formats.ts';
import type { Rule } from '../plan/fuse.ts';
import {
  allRules,
  cachedLinear,
  fuseLists,
  gatedLinear,
  normedLinear,
  rotatedAppend,
  sharedNormLinear,
} from '../plan/fuse.ts';
import type { KvFormat } from '../plan/kv.ts';
import { assignBuffers } from '../plan/liveness.ts';
import type { AxisSizes, KeySource, Plan, Step, TensorSpec } from '../plan/plan.ts';
import { keyAxisOf, product, shapeOf, stepOutputs, widthOf } from '../plan/plan.ts';
import { type Profile, profileOf } from '../plan/profile.ts';
import { BATCH_WORDS, placesIn, ROW_WORDS, sizesOf, writeRows } from '../plan/rows.ts';
import { tokenScores } from '../plan/token-scores.ts';
import { layout } from './binary.ts';
import { type Lowering, placeBytes, type Runnable, type SourceMemory, STEP_BYTES, write, writeSteps } from './lower.ts';
import type { Machine } from './machine.ts';
import type { ProgramMemory, WasmMemory } from './memory.ts';
import { selectedEarly } from './select-early.ts';
import type { WasmWeight } from './weights.ts';

type Home = Omit<Machine, 'memory'> & { memory: ProgramMemory };

/** Batches of up to so many rows are as decoding is: the weights are read row by row. */
const { ADJOINT_BYTES, ATTENTION_ROWS, FEW_ROWS, Op, TILE_BYTES } = layout;

/** A normed row that others read too is made once, not in each product; no kernel here makes both halves of a gated layer together. */
const rules = allRules.filter((rule) => ![sharedNormLinear, gatedLinear].includes(rule));

/** Steps in memory that run without a stop, as many as each of the plan's became, or one that JavaScript performs. */
type Stretch = ReturnType<typeof writeSteps> | Performed;
type Performed = Extract<Step, { op: 'edit' | 'input' | 'adjoint' }>;
export type Adjoints = typeof import('./adjoint.ts');

interface StepList {
  steps: readonly Step[];
  stretches: Stretch[];
  /** Addresses of what its steps make, and of what they read too. */
  tensors: Map<string, number>;
  all: Map<string, number>;
}

/** A plan compiled to lists of steps in memory, for few rows, for many and for the encoder's, over the same key sources. */
export class WasmProgram implements Program {
  readonly size: ProgramSize;
  readonly #plan: Plan;
  readonly #capture: ReadonlySet<string>;
  readonly #weights: ReadonlyMap<string, WasmWeight>;
  readonly #kv: KvFormat;
  readonly #onDispose: (program: WasmProgram) => void;
  /** Address and bytes of all that is the program's own. */
  readonly #owned = new Map<number, number>();
  readonly #sources = new Map<string, SourceMemory>();
  readonly #batch: number;
  readonly #scratch: { at: number; bytes: number };
  readonly #few: StepList;
  readonly #many: StepList;
  readonly #encoder: StepList | undefined;
  readonly #encoderBackward: StepList | undefined;
  readonly #adjoints: Adjoints | undefined;
  readonly #labels: number;
  readonly #totals: number;
  /** Which part of the cache each slot has: when beams change places, nothing is copied. */
  readonly #partOf: number[];
  #machine: Home | undefined;

  constructor(
    machine: Home,
    plan: Plan,
    size: ProgramSize,
    capture: ReadonlySet<string>,
    weights: ReadonlyMap<string, WasmWeight>,
    kv: KvFormat,
    onDispose: (program: WasmProgram) => void,
    adjoints?: Adjoints,
  ) {
    this.#adjoints = adjoints;
    this.#machine = machine;
    this.#plan = adjoints ? plan : selectedEarly(plan, capture);
    this.size = size;
    this.#capture = capture;
    this.#weights = weights;
    this.#kv = adjoints ? 'f32' : kv; // gradients read them too
    this.#onDispose = onDispose;
    this.#partOf = Array.from({ length: size.slots }, (_, slot) => slot);
    try {
      const most = Math.max(size.rows, size.source ?? 0);
      const sharing = adjoints?.sharedSources(plan);
      for (const [name, source] of plan.sources) {
        this.#sources.set(name, this.#sources.get(sharing?.get(name) ?? '') ?? this.#memoryOf(name, source));
      }
      this.#labels = adjoints ? this.#allocate(4 * (1 + size.logitRows), 'The labels') : 0;
      this.#totals = this.#allocate(16 * size.logitRows, 'The totals');
      this.#batch = this.#allocate(4 * (BATCH_WORDS + most * ROW_WORDS), 'The batch');
      const bytes = this.#scratchBytes(most);
      this.#scratch = { at: this.#allocate(bytes * machine.threads, 'The scratch memory'), bytes };
      if (adjoints) {
        // A gradient reads what lies between the steps, and what the lists before its own have left.
        const encoded = (steps: Step[] = []) => ({ steps, rows: size.source ?? 0 });
        const all = [encoded(plan.encoder), { ...plan, rows: size.rows }, encoded(plan.encoderBackward)];
        const lists = this.#compile(all, adjoints.gradientRules);
        [this.#encoder, this.#many, this.#encoderBackward] = lists as [StepList, StepList, StepList];
        this.#few = this.#many;
        return;
      }
      const compile = (steps: Step[], rows: number, own: readonly Rule[]) => this.#compile([{ steps, rows }], own)[0]!;
      const { steps } = this.#plan;
      this.#few = compile(steps, Math.min(size.rows, FEW_ROWS), rules);
      // With many rows a norm inside the product would be computed again by every thread.
      const apart = rules.filter((rule) => rule !== normedLinear);
      this.#many = size.rows > FEW_ROWS ? compile(steps, size.rows, apart) : this.#few;
      this.#encoder = plan.encoder && compile(plan.encoder, size.source ?? 0, apart);
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  get bytes(): number {
    return [...this.#owned.values()].reduce((sum, bytes) => sum + bytes, 0);
  }

  async run(batch: Batch): Promise<RunResult> {
    const { kernels } = this.#running();
    this.#writeBatch(batch);
    const { stretches, tensors, all } = this.#listFor(batch);
    const sizes = sizesOf(batch);
    for (const stretch of stretches) {
      if ('op' in stretch) this.#perform(stretch, all, batch, sizes);
      else kernels.run(stretch.steps, stretch.count, this.#batch, this.#scratch.at, this.#scratch.bytes);
    }
    const logits =
      tensors.has('logits') && !this.#adjoints ? this.#read('logits', tensors, sizes) : new Float32Array(0);
    const made = [...this.#capture].filter((name) => tensors.has(name));
    return {
      logits: batch.targets ? new Float32Array(0) : logits,
      ...(!this.#adjoints && { totals: this.#totalsOf(sizes.logitRows) }),
      scores: batch.targets ? tokenScores(logits, batch.targets) : [],
      captured: new Map(made.map((name) => [name, this.#read(name, tensors, sizes)])),
      sizes,
    };
  }

  async profile(batch: Batch, repeats: number, signal?: AbortSignal): Promise<Profile> {
    const { kernels } = this.#running();
    this.#writeBatch(batch);
    const { steps, stretches, all } = this.#listFor(batch);
    const { at, bytes } = this.#scratch;
    const runs = stretches.flatMap((stretch) => {
      if ('op' in stretch) return [() => this.#perform(stretch, all, batch, sizesOf(batch))];
      let place = stretch.steps;
      return stretch.counts.map((count) => {
        const first = place;
        place += count * STEP_BYTES;
        return () => this.#running() && kernels.run(first, count, this.#batch, at, bytes);
      });
    });
    const timed = steps.map((step, i) => ({ step, run: runs[i]! }));
    return profileOf(timed, repeats, signal);
  }

  async copySlots(moves: { from: number; to: number }[], length: number): Promise<void> {
    this.#running();
    const before = [...this.#partOf];
    const free = new Set(moves.map(({ to }) => before[to]!));
    // The first to want a part that its slot gives up gets it as it is; the others copy it to what is left.
    const copies = moves.filter(({ from, to }) => {
      if (!free.delete(before[from]!)) return true;
      this.#partOf[to] = before[from]!;
      return false;
    });
    for (const { from, to } of copies) {
      const [part] = free;
      free.delete(part!);
      this.#partOf[to] = part!;
      this.#copyPart(before[from]!, part!, length);
    }
  }

  dispose(): void {
    if (!this.#machine) return;
    for (const at of this.#owned.keys()) this.#machine.memory.free(at);
    this.#owned.clear();
    this.#machine = undefined;
    this.#onDispose(this);
  }

  #listFor({ rows, encodes }: Batch): StepList {
    if (encodes === 'backward') return this.#encoderBackward!;
    if (encodes) return this.#encoder!;
    return rows.length <= FEW_ROWS ? this.#few : this.#many;
  }

  #running(): Home {
    if (this.#machine) return this.#machine;
    throw new VitrineError('disposed', 'The program was disposed.');
  }

  #allocate(bytes: number, what: string): number {
    const at = this.#running().memory.allocate(bytes, what);
    this.#owned.set(at, bytes);
    return at;
  }

  #memoryOf(name: string, source: KeySource): SourceMemory {
    const places = placesIn(source, this.size);
    const bytes = source.nHead * places * placeBytes(source, this.#kv);
    const half = () => this.#allocate(bytes, `The key source ${name}`);
    return { ...source, kv: this.#kv, places, keys: half(), values: half() };
  }

  /** What a thread needs at most: see linear-row.ts, linear-tile.ts, attention-block.ts. */
  #scratchBytes(rows: number): number {
    const columns = [...this.#weights.values()].map(({ spec }) => (spec.kind === 'matrix' ? spec.columns : 0));
    const row = 4 * Math.max(64, ...columns.map(strideOf)); // of a check's plan the weights are not listed
    const tile = 192 + 16 * row + Math.max(6 * row, Math.min(TILE_BYTES, (rows + 6) * row));
    const headDim = Math.max(0, ...[...this.#plan.sources.values()].map((source) => source.headDim));
    const keys = this.#mostKeys(rows) + ATTENTION_ROWS + 16;
    const unpacked = this.#kv === 'f32' ? 0 : keys * Math.ceil(headDim / 4) * 4;
    const attention = 4 * (unpacked + (headDim + 16) * (2 * ATTENTION_ROWS + 16) + keys * ATTENTION_ROWS + rows + 16);
    return Math.ceil(Math.max(tile, attention, this.#adjoints ? ADJOINT_BYTES : 0) / 128) * 128;
  }

  /** The most keys that a row can see, in runs of so many rows. */
  #mostKeys(rows: number): number {
    return this.size.sees ?? Math.max(this.size.context, this.size.source ?? 0, rows);
  }

  /** Lists of steps for so many rows each, which share their tensors. */
  #compile(plans: readonly { steps: readonly Step[]; rows: number }[], rules: readonly Rule[]): StepList[] {
    const { logitRows } = this.size;
    // What is kept otherwise than as floats is made of whole heads, by the step that appends them.
    const own = this.#kv === 'f32' ? rules : rules.filter((rule) => ![cachedLinear, rotatedAppend].includes(rule));
    const lists = fuseLists(plans, own, this.#capture);
    const outputsOf = ({ steps, rows }: (typeof lists)[0]) =>
      steps.flatMap(stepOutputs).map((name) => [name, rows] as const);
    const rowsOf = new Map([...lists].reverse().flatMap(outputsOf));
    const sizesOf = (name: string) => {
      const rows = rowsOf.get(name)!;
      return { rows, logitRows: Math.min(rows, logitRows), context: 0, source: 0 };
    };
    const keep = new Set([...this.#capture, ...(this.#adjoints ? [] : ['logits'])]);
    // Tensors of one width share, so that the zeros behind their rows stay zeros.
    const pool = (name: string) => `${keyAxisOf(this.#spec(name))} ${this.#width(name)}`;
    const length = (name: string) => this.#rowsOf(name, sizesOf(name)) * strideOf(this.#width(name));
    const steps = lists.flatMap((list) => list.steps);
    const same = this.#adjoints?.inPlace(steps, keep);
    const { bufferOf, sizes: lengths } = assignBuffers(steps, length, keep, pool, same);
    if (same) for (const name of steps.flatMap(stepOutputs)) bufferOf.set(name, bufferOf.get(same(name))!);
    const buffers = lengths.map((floats) => this.#allocate(floats * 4, 'An activation'));
    const tensors = new Map([...bufferOf].map(([name, buffer]) => [name, buffers[buffer]!]));
    return lists.map(({ steps }) => {
      const own = new Set(steps.flatMap(stepOutputs));
      const made = new Map([...tensors].filter(([name]) => own.has(name)));
      return { steps, tensors: made, stretches: this.#write(steps, tensors), all: tensors };
    });
  }

  #write(steps: readonly Step[], tensors: Map<string, number>): Stretch[] {
    const lowering: Lowering = {
      plan: this.#plan,
      weight: (name) => this.#weight(name),
      tensor: (name) => tensors.get(name)!,
      source: (name) => this.#sources.get(name)!,
      keyWidth: (name) => this.#width(name),
      ...(this.#adjoints && { adjoint: this.#adjoints.lowerAdjoint }),
      labels: this.#labels,
      allocate: (bytes) => {
        const at = this.#allocate(bytes, 'The program');
        const { memory } = this.#running();
        return { at, words: memory.words(at, bytes / 4), floats: memory.floats(at, bytes / 4) };
      },
    };
    const runs = (step: Step): step is Runnable =>
      step.op === 'adjoint' ? this.#adjoints!.isInKernels(step) : step.op !== 'edit' && step.op !== 'input';
    const stretches: Stretch[] = [];
    for (let i = 0; i < steps.length; ) {
      const step = steps[i]!;
      if (!runs(step)) {
        stretches.push(step as Performed);
        i++;
        continue;
      }
      const first = i;
      while (i < steps.length && runs(steps[i]!)) i++;
      stretches.push(writeSteps(steps.slice(first, i) as Runnable[], lowering));
    }
    const logits = tensors.get('logits');
    if (logits === undefined || this.#adjoints) return stretches;
    const total = { op: Op.totals, input: logits, width: this.#width('logits'), output: this.#totals };
    return [...stretches, { steps: write('Step', [total], lowering), count: 1, counts: [] }];
  }

  /** What the last run has made of each row of logits. */
  #totalsOf(rows: number): Omit<LogitRow, 'logits'>[] {
    return Array.from({ length: rows }, (_, r) => {
      const [largest, sum, best] = this.#running().memory.floats(this.#totals + 16 * r, 3);
      const total = largest! + Math.log(sum!);
      return Number.isFinite(total) ? { total, best: best! } : {};
    });
  }

  #weight(name: string): WasmWeight {
    const weight = this.#weights.get(name);
    if (!weight) throw badCheckpoint(`The weight ${name} was never added.`);
    return weight;
  }

  #writeBatch(batch: Batch): void {
    const { memory } = this.#running();
    const words = memory.words(this.#batch, BATCH_WORDS + batch.rows.length * ROW_WORDS);
    writeRows(batch, this.size.context, words, (slot) => this.#partOf[slot]!);
    const { labels = [], lossScale = 1 } = batch;
    if (!this.#adjoints || labels.length > this.size.logitRows) return; // others are the reference's
    memory.floats(this.#labels, 1 + labels.length).set([lossScale, ...labels]);
  }

  /** An edit, a step of a gradient, or the copy of a batch's own numbers. */
  #perform(step: Performed, tensors: Map<string, number>, batch: Batch, sizes: AxisSizes): void {
    if (step.op === 'adjoint') {
      return this.#adjoints!.performAdjoint(step, {
        ...{ plan: this.#plan, batch, sizes, context: this.size.context },
        memory: this.#running().memory as WasmMemory, // a program without memory runs nothing
        read: (name) => this.#read(name, tensors, sizes),
        write: (name, values) => this.#set(name, values, tensors, sizes),
        weight: (name) => this.#weight(name),
        source: (name) => this.#sources.get(name)!,
      });
    }
    if (step.op === 'input') return this.#set(step.output, batch.input!, tensors, sizes);
    const values = this.#read(step.tensor, tensors, sizes);
    applyEdits(step.edits, this.#spec(step.tensor), batch, sizes, values);
    this.#set(step.tensor, values, tensors, sizes);
  }

  #set(name: string, values: Float32Array, tensors: Map<string, number>, sizes: AxisSizes): void {
    const width = values.length / this.#rowsOf(name, sizes);
    this.#eachRow(name, tensors, sizes, (row, r) => row.set(values.subarray(r * width, (r + 1) * width)));
  }

  /** A tensor in its spec's shape. */
  #read(name: string, tensors: Map<string, number>, sizes: AxisSizes): Float32Array {
    const shape = shapeOf(this.#spec(name), sizes);
    const values = new Float32Array(product(shape));
    const width = values.length / this.#rowsOf(name, sizes);
    this.#eachRow(name, tensors, sizes, (row, r) => values.set(row.subarray(0, width), r * width));
    return values;
  }

  #eachRow(name: string, tensors: Map<string, number>, sizes: AxisSizes, use: (row: Float32Array, r: number) => void) {
    const stride = strideOf(this.#width(name));
    const rows = this.#rowsOf(name, sizes);
    const all = this.#running().memory.floats(tensors.get(name)!, rows * stride);
    for (let r = 0; r < rows; r++) use(all.subarray(r * stride, (r + 1) * stride), r);
  }

  #spec(name: string): TensorSpec {
    return this.#plan.tensors.get(name)!;
  }

  /** Floats in a row of a tensor; of an attention tensor [nHead, rows, keys] the most keys. */
  #width(name: string): number {
    const spec = this.#spec(name);
    const keys = keyAxisOf(spec);
    if (keys) return keys === 'source' ? (this.size.sees ?? this.size.source!) : this.#mostKeys(this.size.rows);
    return spec.shape.length === 1 ? (spec.shape[0] as number) : widthOf(spec);
  }

  #rowsOf(name: string, { rows, logitRows }: AxisSizes): number {
    const spec = this.#spec(name);
    const [first] = spec.shape;
    if (keyAxisOf(spec)) return (first as number) * rows;
    // The gradient of a weight; that of a vector is a row.
    if (typeof first === 'number') return spec.shape.length === 1 ? 1 : first;
    return first === 'logitRows' ? logitRows : rows;
  }

  #copyPart(from: number, to: number, length: number): void {
    for (const source of this.#sources.values()) {
      if (source.axis !== 'context') continue;
      const place = placeBytes(source, this.#kv);
      for (const at of [source.keys, source.values]) {
        const memory = this.#running().memory.bytes(at, source.nHead * source.places * place);
        for (let head = 0; head < source.nHead; head++) {
          const part = (slot: number) => (head * source.places + slot * this.size.context) * place;
          memory.copyWithin(part(to), part(from), part(from) + length * place);
        }
      }
    }
  }
}
