import { applyEdits } from '../plan/apply-edits.ts';
import type { Batch, Program, ProgramSize, RunResult } from '../plan/backend.ts';
import { VitrineError } from '../plan/error.ts';
import { assignBuffers } from '../plan/liveness.ts';
import { type Plan, type Step, shapeOf } from '../plan/plan.ts';
import { type Profile, profileOf } from '../plan/profile.ts';
import { tokenScores } from '../plan/token-scores.ts';
import { activation } from './activation.ts';
import { add } from './add.ts';
import { type AttentionShape, attentionMix, attentionScores, cacheAppend } from './attention.ts';
import { embed } from './embed.ts';
import { layerNorm, layerNormScale } from './layer-norm.ts';
import { linear } from './linear.ts';
import { maskedSoftmax } from './masked-softmax.ts';
import { selectRows } from './select-rows.ts';
import type { CpuWeight } from './weights.ts';

/** Keys and values of one layer, each [slots, context, nHead, headDim]. */
interface LayerCache {
  k: Float32Array;
  v: Float32Array;
}

/** Runs a plan's steps one by one, as they are written. */
export class CpuProgram implements Program {
  readonly size: ProgramSize;
  readonly bytes: number;
  readonly #plan: Plan;
  readonly #capture: ReadonlySet<string>;
  readonly #weights: ReadonlyMap<string, CpuWeight>;
  readonly #cache: LayerCache[];
  readonly #buffers: Float32Array[];
  readonly #bufferOf: ReadonlyMap<string, number>;
  readonly #shape: AttentionShape;
  #disposed = false;

  constructor(plan: Plan, size: ProgramSize, capture: ReadonlySet<string>, weights: ReadonlyMap<string, CpuWeight>) {
    this.#plan = plan;
    this.size = size;
    this.#capture = capture;
    this.#weights = weights;
    this.#shape = { nHead: plan.nHead, headDim: plan.headDim, context: size.context };
    const cached = size.slots * size.context * plan.nHead * plan.headDim;
    this.#cache = Array.from({ length: plan.nLayer }, () => ({
      k: new Float32Array(cached),
      v: new Float32Array(cached),
    }));
    const { bufferOf, sizes } = assignBuffers(plan.steps, (name) => product(this.#shapeOf(name, size)), capture);
    this.#bufferOf = bufferOf;
    this.#buffers = sizes.map((length) => new Float32Array(length));
    this.bytes = 4 * (2 * plan.nLayer * cached + sizes.reduce((sum, length) => sum + length, 0));
  }

  async run(batch: Batch): Promise<RunResult> {
    this.#alive();
    const keys = 1 + Math.max(...batch.rows.map((row) => row.position));
    const tensor = (name: string) => this.#tensor(name, batch, keys);
    for (const step of this.#plan.steps) this.#step(step, batch, keys, tensor);
    const logits = this.#bufferOf.has('logits') ? tensor('logits') : new Float32Array(0);
    return {
      logits: batch.targets ? new Float32Array(0) : logits.slice(),
      scores: batch.targets ? tokenScores(logits, batch.targets) : [],
      captured: new Map([...this.#capture].map((name) => [name, tensor(name).slice()])),
      keys,
    };
  }

  async profile(batch: Batch, repeats: number, signal?: AbortSignal): Promise<Profile> {
    const keys = 1 + Math.max(...batch.rows.map((row) => row.position));
    const tensor = (name: string) => this.#tensor(name, batch, keys);
    const run = (step: Step) => () => {
      this.#alive();
      this.#step(step, batch, keys, tensor);
    };
    const steps = this.#plan.steps.map((step) => ({ step, run: run(step) }));
    return profileOf(steps, repeats, signal);
  }

  async copySlots(moves: { from: number; to: number }[], length: number): Promise<void> {
    this.#alive();
    const width = this.#plan.nHead * this.#plan.headDim;
    const perSlot = this.size.context * width;
    for (const cache of this.#cache.flatMap(({ k, v }) => [k, v])) {
      // Read everything before writing anything: two beams may change places.
      const read = moves.map(({ from }) => cache.slice(from * perSlot, from * perSlot + length * width));
      moves.forEach(({ to }, i) => {
        cache.set(read[i]!, to * perSlot);
      });
    }
  }

  dispose(): void {
    this.#disposed = true;
    this.#cache.length = 0;
    this.#buffers.length = 0;
  }

  #alive(): void {
    if (this.#disposed) throw new VitrineError('disposed', 'The program was disposed.');
  }

  #step(step: Step, batch: Batch, keys: number, tensor: (name: string) => Float32Array): void {
    const { rows } = batch;
    switch (step.op) {
      case 'embed':
        return embed(
          this.#weight(step.weight),
          rows.map((row) => row.token),
          tensor(step.output),
        );
      case 'positionEmbed':
        return embed(
          this.#weight(step.weight),
          rows.map((row) => row.position),
          tensor(step.output),
        );
      case 'add':
        return add(tensor(step.a), tensor(step.b), tensor(step.output));
      case 'layerNormScale':
        return layerNormScale(tensor(step.input), this.#width(step.input), step.epsilon, tensor(step.output));
      case 'layerNorm': {
        const [weight, bias] = [this.#vector(step.weight), this.#vector(step.bias)];
        if (step.scale === undefined) return unfused(step);
        return layerNorm(
          tensor(step.input),
          tensor(step.scale),
          weight,
          bias,
          this.#width(step.input),
          tensor(step.output),
        );
      }
      case 'selectRows':
        return selectRows(tensor(step.input), batch.logitRows, this.#width(step.input), tensor(step.output));
      case 'linear': {
        if (step.norm || step.activation || step.residual || step.select || step.cache !== undefined)
          return unfused(step);
        const bias = step.bias === undefined ? undefined : this.#vector(step.bias);
        return linear(tensor(step.input), this.#weight(step.weight), bias, step.outputs.map(tensor));
      }
      case 'cacheAppend': {
        const { k, v } = this.#cache[step.layer]!;
        cacheAppend(tensor(step.k), rows, this.#shape, k);
        return cacheAppend(tensor(step.v), rows, this.#shape, v);
      }
      case 'attentionScores': {
        const { k } = this.#cache[step.layer]!;
        return attentionScores(tensor(step.q), k, rows, this.#shape, step.scale, keys, tensor(step.output));
      }
      case 'maskedSoftmax':
        return maskedSoftmax(tensor(step.input), keys, tensor(step.output));
      case 'attentionMix':
        return attentionMix(
          tensor(step.pattern),
          this.#cache[step.layer]!.v,
          rows,
          this.#shape,
          keys,
          tensor(step.output),
        );
      case 'activation':
        return activation(step.kind, tensor(step.input), tensor(step.output));
      case 'edit':
        return applyEdits(step.edits, this.#plan.tensors.get(step.tensor)!, rows, keys, tensor(step.tensor));
      case 'embedding':
      case 'attention':
        return unfused(step);
      default:
        return step satisfies never;
    }
  }

  #weight(name: string): CpuWeight {
    const weight = this.#weights.get(name);
    if (!weight) throw new VitrineError('bad-checkpoint', `The weight ${name} was never added.`);
    return weight;
  }

  #vector(name: string): Float32Array {
    return this.#weight(name).packed.values as Float32Array;
  }

  #shapeOf(name: string, sizes: { rows: number; logitRows: number; context: number }): number[] {
    return shapeOf(this.#plan.tensors.get(name)!, sizes);
  }

  /** Length of a tensor's rows. */
  #width(name: string): number {
    return product(this.#shapeOf(name, { rows: 1, logitRows: 1, context: 1 }));
  }

  #tensor(name: string, batch: Batch, keys: number): Float32Array {
    const sizes = { rows: batch.rows.length, logitRows: batch.logitRows.length, context: keys };
    const buffer = this.#buffers[this.#bufferOf.get(name)!]!;
    return buffer.subarray(0, product(this.#shapeOf(name, sizes)));
  }
}

const product = (numbers: number[]): number => numbers.reduce((a, b) => a * b, 1);

function unfused(step: Step): never {
  throw new Error(`The CPU backend runs plans as written: it has no fused ${step.op}.`);
}
