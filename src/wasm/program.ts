import { applyEdits } from '../plan/apply-edits.ts';
import type { Batch, Program, ProgramSize, RunResult } from '../plan/backend.ts';
import { VitrineError } from '../plan/error.ts';
import { strideOf } from '../plan/formats.ts';
import { allRules, fuse, normedLinear, type Rule } from '../plan/fuse.ts';
import { assignBuffers } from '../plan/liveness.ts';
import { type Plan, type Step, shapeOf } from '../plan/plan.ts';
import { type Profile, profileOf } from '../plan/profile.ts';
import { tokenScores } from '../plan/token-scores.ts';
import { type Lowering, type Runnable, STEP_WORDS, writeStep } from './lower.ts';
import type { Machine } from './machine.ts';
import type { WasmWeight } from './weights.ts';

/** Batches of up to so many rows are as decoding is: the weights are read row by row (kernels/index.ts). */
const FEW_ROWS = 4;

/** Steps in memory that run without a stop, or edits, which run in JavaScript. */
type Stretch = { steps: number; count: number } | (Step & { op: 'edit' });

interface StepList {
  steps: readonly Step[];
  stretches: Stretch[];
  tensors: Map<string, number>;
}

interface Sizes {
  rows: number;
  logitRows: number;
  context: number;
}

/** A plan compiled to two lists of steps in memory, for few rows and for many, over one KV cache. */
export class WasmProgram implements Program {
  readonly size: ProgramSize;
  readonly #plan: Plan;
  readonly #capture: ReadonlySet<string>;
  readonly #weights: ReadonlyMap<string, WasmWeight>;
  readonly #onDispose: (program: WasmProgram) => void;
  /** Address and bytes of all that is the program's own. */
  readonly #owned = new Map<number, number>();
  readonly #caches: { keys: number; values: number }[];
  readonly #batch: number;
  readonly #scratch: { at: number; bytes: number };
  readonly #few: StepList;
  readonly #many: StepList;
  /** Which part of the cache each slot has: when beams change places, nothing is copied. */
  readonly #partOf: number[];
  #machine: Machine | undefined;

  constructor(
    machine: Machine,
    plan: Plan,
    size: ProgramSize,
    capture: ReadonlySet<string>,
    weights: ReadonlyMap<string, WasmWeight>,
    onDispose: (program: WasmProgram) => void,
  ) {
    this.#machine = machine;
    this.#plan = plan;
    this.size = size;
    this.#capture = capture;
    this.#weights = weights;
    this.#onDispose = onDispose;
    this.#partOf = Array.from({ length: size.slots }, (_, slot) => slot);
    try {
      const cache = size.slots * plan.nHead * this.#headBytes;
      const half = (layer: number, what: string) => this.#allocate(cache, `The ${what} cache of layer ${layer}`);
      this.#caches = Array.from({ length: plan.nLayer }, (_, layer) => ({
        keys: half(layer, 'key'),
        values: half(layer, 'value'),
      }));
      this.#batch = this.#allocate(16 + size.rows * 16, 'The batch');
      const bytes = this.#scratchBytes();
      this.#scratch = { at: this.#allocate(bytes * machine.threads, 'The scratch memory'), bytes };
      this.#few = this.#compile(Math.min(size.rows, FEW_ROWS), allRules);
      // With many rows a norm inside the product would be computed again by every thread.
      const apart = allRules.filter((rule) => rule !== normedLinear);
      this.#many = size.rows > FEW_ROWS ? this.#compile(size.rows, apart) : this.#few;
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
    const keys = 1 + Math.max(...batch.rows.map((row) => row.position));
    this.#writeBatch(batch, keys);
    const { stretches, tensors } = this.#listFor(batch);
    const sizes = { rows: batch.rows.length, logitRows: batch.logitRows.length, context: keys };
    for (const stretch of stretches) {
      if ('op' in stretch) this.#edit(stretch, tensors, batch, sizes);
      else kernels.run(stretch.steps, stretch.count, this.#batch, this.#scratch.at, this.#scratch.bytes);
    }
    const logits = tensors.has('logits') ? this.#read('logits', tensors, sizes) : new Float32Array(0);
    return {
      logits: batch.targets ? new Float32Array(0) : logits,
      scores: batch.targets ? tokenScores(logits, batch.targets) : [],
      captured: new Map([...this.#capture].map((name) => [name, this.#read(name, tensors, sizes)])),
      keys,
    };
  }

  async profile(batch: Batch, repeats: number, signal?: AbortSignal): Promise<Profile> {
    const { kernels } = this.#running();
    this.#writeBatch(batch, 1 + Math.max(...batch.rows.map((row) => row.position)));
    const { steps, stretches } = this.#listFor(batch);
    const places = stretches.flatMap((stretch) =>
      'op' in stretch ? [] : Array.from({ length: stretch.count }, (_, i) => stretch.steps + i * STEP_WORDS * 4),
    );
    const { at, bytes } = this.#scratch;
    const run = (place: number) => () => this.#running() && kernels.run(place, 1, this.#batch, at, bytes);
    return profileOf(
      steps.map((step, i) => ({ step, run: run(places[i]!) })),
      repeats,
      signal,
    );
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

  #listFor({ rows }: Batch): StepList {
    return rows.length <= FEW_ROWS ? this.#few : this.#many;
  }

  #running(): Machine {
    if (!this.#machine) throw new VitrineError('disposed', 'The program was disposed.');
    return this.#machine;
  }

  #allocate(bytes: number, what: string): number {
    const at = this.#running().memory.allocate(bytes, what);
    this.#owned.set(at, bytes);
    return at;
  }

  /** Bytes of the cached keys of one head. */
  get #headBytes(): number {
    return this.size.context * Math.ceil(this.#plan.headDim / 4) * 16;
  }

  /** What a thread needs at most: see linear-row.ts, linear-tile.ts, attention.ts. */
  #scratchBytes(): number {
    const columns = [...this.#weights.values()].map(({ spec }) => strideOf(spec.columns));
    const row = 4 * Math.max(64, ...columns);
    const few = (FEW_ROWS + 1) * row + ((FEW_ROWS + 1) * 2 * row) / 32 + 256;
    const tile = 8 * 768 * 4 + (this.size.rows + 1) * 32;
    const attention = (this.#plan.headDim + this.size.context + 16) * 4;
    return Math.ceil(Math.max(few, tile, attention) / 128) * 128;
  }

  #compile(rows: number, rules: readonly Rule[]): StepList {
    const plan = this.#plan;
    const steps = fuse(plan.steps, rules, this.#capture);
    const sizes = { rows, logitRows: Math.min(rows, this.size.logitRows), context: this.size.context };
    const keep = new Set([...this.#capture, 'logits']);
    // Tensors of one width share, so that the zeros behind their rows stay zeros.
    const pool = (name: string) => `${plan.tensors.get(name)!.shape.includes('context')} ${this.#width(name)}`;
    const length = (name: string) => this.#rowsOf(name, sizes) * strideOf(this.#width(name));
    const { bufferOf, sizes: lengths } = assignBuffers(steps, length, keep, pool);
    const buffers = lengths.map((floats) => this.#allocate(floats * 4, 'An activation'));
    const tensors = new Map([...bufferOf].map(([name, buffer]) => [name, buffers[buffer]!]));
    return { steps, tensors, stretches: this.#write(steps, tensors) };
  }

  #write(steps: readonly Step[], tensors: Map<string, number>): Stretch[] {
    const lowering: Lowering = {
      plan: this.#plan,
      context: this.size.context,
      weight: (name) => this.#weight(name),
      tensor: (name) => tensors.get(name)!,
      width: (name) => this.#width(name),
      caches: this.#caches,
    };
    const stretches: Stretch[] = [];
    for (let i = 0; i < steps.length; ) {
      const step = steps[i]!;
      if (step.op === 'edit') {
        stretches.push(step);
        i++;
        continue;
      }
      const next = steps.findIndex((later, j) => j > i && later.op === 'edit');
      const stretch = steps.slice(i, next < 0 ? undefined : next) as Runnable[];
      const at = this.#allocate(stretch.length * STEP_WORDS * 4, 'The program');
      stretch.forEach((one, j) => {
        writeStep(one, lowering, this.#running().memory.words(at + j * STEP_WORDS * 4, STEP_WORDS));
      });
      stretches.push({ steps: at, count: stretch.length });
      i += stretch.length;
    }
    return stretches;
  }

  #weight(name: string): WasmWeight {
    const weight = this.#weights.get(name);
    if (!weight) throw new VitrineError('bad-checkpoint', `The weight ${name} was never added.`);
    return weight;
  }

  #writeBatch({ rows, logitRows }: Batch, keys: number): void {
    const words = this.#running().memory.words(this.#batch, 4 + rows.length * 4);
    words.set([rows.length, logitRows.length, keys, 0]);
    rows.forEach(({ token, position, slot }, i) => {
      words.set([token, position, this.#partOf[slot]!, logitRows[i] ?? 0], 4 + i * 4);
    });
  }

  #edit({ tensor, edits }: Step & { op: 'edit' }, tensors: Map<string, number>, { rows }: Batch, sizes: Sizes): void {
    const values = this.#read(tensor, tensors, sizes);
    applyEdits(edits, this.#plan.tensors.get(tensor)!, rows, sizes.context, values);
    const width = values.length / this.#rowsOf(tensor, sizes);
    this.#eachRow(tensor, tensors, sizes, (row, r) => row.set(values.subarray(r * width, (r + 1) * width)));
  }

  /** A tensor in its spec's shape. */
  #read(name: string, tensors: Map<string, number>, sizes: Sizes): Float32Array {
    const shape = shapeOf(this.#plan.tensors.get(name)!, sizes);
    const values = new Float32Array(shape.reduce((a, b) => a * b, 1));
    const width = values.length / this.#rowsOf(name, sizes);
    this.#eachRow(name, tensors, sizes, (row, r) => values.set(row.subarray(0, width), r * width));
    return values;
  }

  #eachRow(
    name: string,
    tensors: Map<string, number>,
    sizes: Sizes,
    use: (row: Float32Array, r: number) => void,
  ): void {
    const stride = strideOf(this.#width(name));
    const rows = this.#rowsOf(name, sizes);
    const all = this.#running().memory.floats(tensors.get(name)!, rows * stride);
    for (let r = 0; r < rows; r++) use(all.subarray(r * stride, (r + 1) * stride), r);
  }

  /** Floats in a row of a tensor; of an attention tensor [nHead, rows, context] the longest context. */
  #width(name: string): number {
    const { shape } = this.#plan.tensors.get(name)!;
    if (shape.includes('context')) return this.size.context;
    return shape.slice(1).reduce<number>((product, axis) => product * (axis as number), 1);
  }

  #rowsOf(name: string, { rows, logitRows }: Sizes): number {
    const { shape } = this.#plan.tensors.get(name)!;
    if (shape.includes('context')) return this.#plan.nHead * rows;
    return shape[0] === 'logitRows' ? logitRows : rows;
  }

  #copyPart(from: number, to: number, length: number): void {
    const { nHead } = this.#plan;
    const head = this.#headBytes;
    const filled = (head / this.size.context) * length;
    for (const at of this.#caches.flatMap(({ keys, values }) => [keys, values])) {
      const cache = this.#running().memory.bytes(at, this.size.slots * nHead * head);
      for (let h = 0; h < nHead; h++) {
        const start = (from * nHead + h) * head;
        cache.copyWithin((to * nHead + h) * head, start, start + filled);
      }
    }
  }
}
