import type { Batch, Program, ProgramSize, RunResult } from '../plan/backend.ts';
import { badCheckpoint, VitrineError } from '../plan/error.ts';
import { assignBuffers } from '../plan/liveness.ts';
import { type Plan, product, type Step, shapeOf, stepOutputs, stepsOf } from '../plan/plan.ts';
import { type Profile, profileOf } from '../plan/profile.ts';
import { placesIn, placesOf, sizesOf } from '../plan/rows.ts';
import { tokenScores } from '../plan/token-scores.ts';

import { perform } from './perform.ts';
import type { KeyCache, Run } from './run.ts';
import type { CpuWeight } from './weights.ts';

/** What a program takes: of each source the floats of its keys, and as many of values; buffers for its tensors. */
export function roomOf(plan: Plan, size: ProgramSize, capture: ReadonlySet<string>) {
  const cached = new Map(
    [...plan.sources].map(([name, source]) => {
      const { nHead, headDim } = source;
      return [name, { nHead, headDim, floats: placesIn(source, size) * nHead * headDim }];
    }),
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

/** What a program is made of. */
interface Parts extends Pick<Run, 'plan' | 'kv' | 'adjoint'> {
  size: ProgramSize;
  capture: ReadonlySet<string>;
  weights: ReadonlyMap<string, CpuWeight>;
}

/** Runs a plan's steps one by one, as they are written. */
export class CpuProgram implements Program {
  readonly size: ProgramSize;
  readonly bytes: number;
  readonly #parts: Parts;
  readonly #cache: Map<string, KeyCache>;
  readonly #buffers: Float32Array[];
  readonly #bufferOf: ReadonlyMap<string, number>;
  #disposed = false;

  constructor(parts: Parts) {
    const { plan, size, capture } = parts;
    this.#parts = parts;
    this.size = size;
    const { cached, bufferOf, sizes, bytes } = roomOf(plan, size, capture);
    const room = (floats: number) => {
      try {
        return new Float32Array(floats);
      } catch (cause) {
        const hint = 'A shorter contextLength or fewer sequences needs less.';
        throw new VitrineError('out-of-memory', `There is no room for the ${bytes} bytes of a program.`, {
          hint,
          cause,
        });
      }
    };
    this.#cache = new Map(
      [...cached].map(([name, { nHead, headDim, floats }]) => [
        name,
        { nHead, headDim, k: room(floats), v: room(floats) },
      ]),
    );
    this.#bufferOf = bufferOf;
    this.#buffers = sizes.map(room);
    this.bytes = bytes;
  }

  async run(batch: Batch): Promise<RunResult> {
    this.#alive();
    const run = this.#runOf(batch);
    const steps = this.#stepsOf(batch);
    for (const step of steps) perform(step, run);
    const made = new Set(steps.flatMap(stepOutputs));
    const logits = made.has('logits') ? run.tensor('logits') : new Float32Array(0);
    const names = [...this.#parts.capture].filter((name) => made.has(name));
    return {
      logits: batch.targets ? new Float32Array(0) : logits.slice(),
      scores: batch.targets ? tokenScores(logits, batch.targets) : [],
      captured: new Map(names.map((name) => [name, run.tensor(name).slice()])),
      sizes: run.sizes,
    };
  }

  async profile(batch: Batch, repeats: number, signal?: AbortSignal): Promise<Profile> {
    const run = this.#runOf(batch);
    const again = (step: Step) => () => {
      this.#alive();
      perform(step, run);
    };
    const runs = this.#stepsOf(batch).map((step) => ({ step, run: again(step) }));
    return profileOf(runs, repeats, signal);
  }

  async copySlots(moves: { from: number; to: number }[], length: number): Promise<void> {
    this.#alive();
    for (const [name, { axis }] of this.#parts.plan.sources) {
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
    if (encodes === 'backward') return this.#parts.plan.encoderBackward!;
    return encodes ? this.#parts.plan.encoder! : this.#parts.plan.steps;
  }

  #runOf(batch: Batch): Run {
    const sizes = sizesOf(batch);
    const { plan, kv, adjoint, weights } = this.#parts;
    const { sources, tensors } = plan;
    return {
      ...{ plan, batch, sizes, kv, adjoint },
      tensor: (name) => {
        const length = product(shapeOf(tensors.get(name)!, sizes));
        return this.#buffers[this.#bufferOf.get(name)!]!.subarray(0, length);
      },
      weight: (name) => {
        const weight = weights.get(name);
        if (!weight) throw badCheckpoint(`The weight ${name} was never added.`);
        return weight;
      },
      cache: (source) => this.#cache.get(source)!,
      places: (source) => batch.rows.map((row) => placesOf(row, sources.get(source)!, this.size.context)),
    };
  }
}
