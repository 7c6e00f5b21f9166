import { applyEdits } from '../plan/apply-edits.ts';
import type { Batch, Program, ProgramSize, RunResult } from '../plan/backend.ts';
import { VitrineError } from '../plan/error.ts';
import { asKept, type KvFormat } from '../plan/kv.ts';
import { assignBuffers } from '../plan/liveness.ts';
import { type AxisSizes, type Plan, type Step, shapeOf, stepOutputs, stepsOf, widthOf } from '../plan/plan.ts';
import { type Profile, profileOf } from '../plan/profile.ts';
import { placesOf, sizesOf } from '../plan/rows.ts';
import { tokenScores } from '../plan/token-scores.ts';
import { activation } from './activation.ts';
import { attentionMix, attentionScores, cacheAppend, type DistanceBias, type KeyCache } from './attention.ts';
import { binary } from './binary.ts';
import { embed } from './embed.ts';
import { linear } from './linear.ts';
import { maskedSoftmax } from './masked-softmax.ts';
import { norm, normScale } from './norm.ts';
import { rotate } from './rotate.ts';
import { selectRows } from './select-rows.ts';
import type { CpuWeight } from './weights.ts';

/** What a step of a run works on. */
interface Run {
  batch: Batch;
  sizes: AxisSizes;
  tensor(name: string): Float32Array;
}

/** What a program takes: of each source the floats of its keys, and as many of values; buffers for its tensors. */
export function roomOf(plan: Plan, size: ProgramSize, capture: ReadonlySet<string>) {
  const most = Math.max(size.rows, size.source ?? 0);
  const placesIn = { context: size.slots * size.context, source: size.source ?? 0, rows: most };
  const cached = new Map(
    [...plan.sources].map(([name, { nHead, headDim, axis }]) => [
      name,
      { nHead, headDim, floats: placesIn[axis] * nHead * headDim },
    ]),
  );
  const encoder = [...(plan.encoder ?? []), ...(plan.encoderBackward ?? [])];
  const encoded = new Set(encoder.flatMap(stepOutputs));
  const lengthOf = (name: string) => {
    const rows = encoded.has(name) ? (size.source ?? 0) : size.rows;
    const context = Math.max(size.context, rows);
    return product(shapeOf(plan.tensors.get(name)!, { ...size, rows, context, source: size.source ?? 0 }));
  };
  // The results are read when all steps are done.
  const keep = new Set([...capture, 'logits']);
  const { bufferOf, sizes } = assignBuffers(stepsOf(plan), lengthOf, keep);
  const floats = [...cached.values()].reduce((sum, one) => sum + 2 * one.floats, 0);
  return { cached, bufferOf, sizes, bytes: 4 * (floats + sizes.reduce((sum, length) => sum + length, 0)) };
}

/** Runs a plan's steps one by one, as they are written. */
export class CpuProgram implements Program {
  readonly size: ProgramSize;
  readonly bytes: number;
  readonly #plan: Plan;
  readonly #capture: ReadonlySet<string>;
  readonly #weights: ReadonlyMap<string, CpuWeight>;
  readonly #kv: KvFormat;
  readonly #cache: Map<string, KeyCache>;
  readonly #buffers: Float32Array[];
  readonly #bufferOf: ReadonlyMap<string, number>;
  readonly #adjoint: typeof import('./adjoint.ts').adjoint | undefined;
  #disposed = false;

  /** @param adjoint performs the steps of a gradient, where the plan has any */
  constructor(
    plan: Plan,
    size: ProgramSize,
    capture: ReadonlySet<string>,
    weights: ReadonlyMap<string, CpuWeight>,
    kv: KvFormat,
    adjoint?: typeof import('./adjoint.ts').adjoint,
  ) {
    this.#adjoint = adjoint;
    this.#plan = plan;
    this.size = size;
    this.#capture = capture;
    this.#weights = weights;
    this.#kv = kv;
    const { cached, bufferOf, sizes, bytes } = roomOf(plan, size, capture);
    this.#cache = new Map(
      [...cached].map(([name, { nHead, headDim, floats }]) => [
        name,
        { nHead, headDim, k: new Float32Array(floats), v: new Float32Array(floats) },
      ]),
    );
    this.#bufferOf = bufferOf;
    this.#buffers = sizes.map((length) => new Float32Array(length));
    this.bytes = bytes;
  }

  async run(batch: Batch): Promise<RunResult> {
    this.#alive();
    const run = this.#runOf(batch);
    const steps = this.#stepsOf(batch);
    for (const step of steps) this.#step(step, run);
    const made = new Set(steps.flatMap(stepOutputs));
    const logits = made.has('logits') ? run.tensor('logits') : new Float32Array(0);
    return {
      logits: batch.targets ? new Float32Array(0) : logits.slice(),
      scores: batch.targets ? tokenScores(logits, batch.targets) : [],
      captured: new Map(
        [...this.#capture].filter((name) => made.has(name)).map((name) => [name, run.tensor(name).slice()]),
      ),
      sizes: run.sizes,
    };
  }

  async profile(batch: Batch, repeats: number, signal?: AbortSignal): Promise<Profile> {
    const run = this.#runOf(batch);
    const again = (step: Step) => () => {
      this.#alive();
      this.#step(step, run);
    };
    return profileOf(
      this.#stepsOf(batch).map((step) => ({ step, run: again(step) })),
      repeats,
      signal,
    );
  }

  async copySlots(moves: { from: number; to: number }[], length: number): Promise<void> {
    this.#alive();
    for (const [name, { axis }] of this.#plan.sources) {
      if (axis !== 'context') continue;
      const { nHead, headDim, k, v } = this.#cache.get(name)!;
      const width = nHead * headDim;
      const perSlot = this.size.context * width;
      for (const cache of [k, v]) {
        // Read everything before writing anything: two beams may change places.
        const read = moves.map(({ from }) => cache.slice(from * perSlot, from * perSlot + length * width));
        moves.forEach(({ to }, i) => {
          cache.set(read[i]!, to * perSlot);
        });
      }
    }
  }

  dispose(): void {
    this.#disposed = true;
    this.#cache.clear();
    this.#buffers.length = 0;
  }

  #alive(): void {
    if (this.#disposed) throw new VitrineError('disposed', 'The program was disposed.');
  }

  #stepsOf({ encodes }: Batch): readonly Step[] {
    if (encodes === 'backward') return this.#plan.encoderBackward!;
    return encodes ? this.#plan.encoder! : this.#plan.steps;
  }

  #step(step: Step, { batch, sizes, tensor }: Run): void {
    const { rows } = batch;
    switch (step.op) {
      case 'embed': {
        const tables = step.tables.map((table) => ({ ...table, weight: this.#weight(table.weight) }));
        return embed(tables, rows, tensor(step.output));
      }
      case 'input':
        return tensor(step.output).set(batch.input!);
      case 'binary':
        return binary(step.kind, tensor(step.a), tensor(step.b), tensor(step.output));
      case 'normScale':
        return normScale(
          tensor(step.input),
          this.#width(step.input) / this.#width(step.output),
          step.epsilon,
          step.centred,
          tensor(step.output),
        );
      case 'norm': {
        if (step.scale === undefined) return unfused(step);
        const given = { weight: this.#vector(step.weight), bias: this.#optional(step.bias), centred: step.centred };
        const n = this.#width(step.input) / this.#width(step.scale);
        return norm(tensor(step.input), tensor(step.scale), given, n, tensor(step.output));
      }
      case 'selectRows':
        return selectRows(tensor(step.input), batch.logitRows, this.#width(step.input), tensor(step.output));
      case 'linear': {
        if (step.norm || step.activation || step.residual || step.gate || step.select || step.cache)
          return unfused(step);
        return linear(
          tensor(step.input),
          this.#weight(step.weight),
          this.#optional(step.bias),
          step.outputs.map(tensor),
          step.lowRank && { ...step.lowRank, x: tensor(step.lowRank.input), up: this.#vector(step.lowRank.weight) },
        );
      }
      case 'rotate': {
        const [, , headDim] = this.#plan.tensors.get(step.input)!.shape;
        return rotate(tensor(step.input), this.#weight(step.table), rows, headDim as number, tensor(step.output));
      }
      case 'cacheAppend': {
        const { nHead, headDim, k, v } = this.#cache.get(step.source)!;
        const places = this.#placesOf(step.source, batch);
        const kept = (name: string) => asKept(this.#kv, tensor(name), headDim);
        cacheAppend(kept(step.k), places, nHead * headDim, k);
        return cacheAppend(kept(step.v), places, nHead * headDim, v);
      }
      case 'attentionScores': {
        const cache = this.#cache.get(step.source)!;
        const how = {
          nHead: this.#width(step.q) / cache.headDim,
          scale: step.scale,
          bias: this.#bias(step.bias),
          window: step.window,
        };
        const keys = sizes[this.#keyAxis(step.source)];
        return attentionScores(
          tensor(step.q),
          cache,
          this.#placesOf(step.source, batch),
          how,
          keys,
          tensor(step.output),
        );
      }
      case 'maskedSoftmax':
        return maskedSoftmax(tensor(step.input), sizes[this.#keyAxis(step.source)], tensor(step.output));
      case 'attentionMix': {
        const cache = this.#cache.get(step.source)!;
        const nHead = this.#width(step.output) / cache.headDim;
        const keys = sizes[this.#keyAxis(step.source)];
        return attentionMix(
          tensor(step.pattern),
          cache,
          this.#placesOf(step.source, batch),
          nHead,
          keys,
          tensor(step.output),
        );
      }
      case 'activation':
        return activation(step.kind, tensor(step.input), tensor(step.output));
      case 'edit':
        return applyEdits(step.edits, this.#plan.tensors.get(step.tensor)!, batch, sizes, tensor(step.tensor));
      case 'adjoint':
        return this.#adjoint!(step, {
          ...{ plan: this.#plan, batch, sizes, tensor },
          weight: (name) => this.#weight(name),
          cache: (source) => this.#cache.get(source)!,
          places: (source) => this.#placesOf(source, batch),
        });
      case 'attention':
      case 'rotateAppend':
        return unfused(step);
      default:
        return step satisfies never;
    }
  }

  #placesOf(source: string, { rows }: Batch) {
    return rows.map((row) => placesOf(row, this.#plan.sources.get(source)!, this.size.context));
  }

  #keyAxis(source: string): 'context' | 'source' {
    return this.#plan.sources.get(source)!.axis === 'source' ? 'source' : 'context';
  }

  #bias(name: string | undefined): DistanceBias | undefined {
    if (name === undefined) return undefined;
    const { spec, stride, packed } = this.#weight(name);
    return { values: packed.values as Float32Array, stride, columns: spec.columns };
  }

  #weight(name: string): CpuWeight {
    const weight = this.#weights.get(name);
    if (!weight) throw new VitrineError('bad-checkpoint', `The weight ${name} was never added.`);
    return weight;
  }

  #vector(name: string): Float32Array {
    return this.#weight(name).packed.values as Float32Array;
  }

  #optional(name: string | undefined): Float32Array | undefined {
    return name === undefined ? undefined : this.#vector(name);
  }

  /** Length of a tensor's rows. */
  #width(name: string): number {
    return widthOf(this.#plan.tensors.get(name)!);
  }

  #runOf(batch: Batch): Run {
    const sizes = sizesOf(batch);
    const tensor = (name: string) => {
      const length = product(shapeOf(this.#plan.tensors.get(name)!, sizes));
      return this.#buffers[this.#bufferOf.get(name)!]!.subarray(0, length);
    };
    return { batch, sizes, tensor };
  }
}

const product = (numbers: number[]): number => numbers.reduce((a, b) => a * b, 1);

function unfused(step: Step): never {
  throw new Error(`The CPU backend runs plans as written: it has no fused ${step.op}.`);
}
