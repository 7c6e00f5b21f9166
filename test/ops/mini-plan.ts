import type { Backend, Program, Row, RunResult, WeightFormat } from '../../src/plan/backend.ts';
import type { KeySource, Plan, Step, TensorSpec, WeightSpec } from '../../src/plan/plan.ts';

export interface Batching {
  rows?: Row[];
  logitRows?: number[];
  context?: number;
  /** Places of the memory. */
  source?: number;
  /** The batch's own numbers. */
  input?: Float32Array;
  /** Changes the plan before it is compiled. */
  change?: (plan: Plan) => Plan;
}

/** Numbers from a seed (mulberry32), normal enough: uniform in [-1, 1). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 31 - 1;
  };
}

export function randomValues(length: number, seed: number, scale = 1): Float32Array {
  const next = seeded(seed);
  return Float32Array.from({ length }, () => next() * scale);
}

/**
 * A plan of a few steps, to test one op through a backend's own door. An input tensor is a table that an `embed` step
 * looks up: row r of the batch has token r, so the tensor is the table.
 */
export class MiniPlan {
  static #made = 0;
  /** Weights of one plan do not meet those of another on the same backend. */
  readonly #prefix = `plan${++MiniPlan.#made}.`;
  readonly #weights: { spec: WeightSpec; format: WeightFormat; values: Float32Array }[] = [];
  readonly #tensors = new Map<string, TensorSpec>();
  #encoder: Step[] | undefined;
  #steps: Step[] = [];
  readonly rows: number;
  readonly #sources = new Map<string, KeySource>();

  constructor(rows: number) {
    this.rows = rows;
  }

  source(name: string, source: KeySource): string {
    this.#sources.set(name, source);
    return name;
  }

  tensor(name: string, ...shape: TensorSpec['shape']): string {
    this.#tensors.set(name, { name, shape });
    return name;
  }

  /** A tensor [rows, ...axes] with these values. */
  input(name: string, values: Float32Array, ...axes: number[]): string {
    const table = this.matrix(`${name}.table`, this.rows, values.length / this.rows, values, 'f32');
    this.step({ op: 'embed', tables: [{ weight: table, by: 'token' }], output: this.tensor(name, 'rows', ...axes) });
    return name;
  }

  /** Gives the name under which steps find it. */
  matrix(name: string, rows: number, columns: number, values: Float32Array, format: WeightFormat): string {
    return this.#weight({ name, kind: 'matrix', rows, columns, storedTransposed: false }, format, values);
  }

  vector(name: string, values: Float32Array): string {
    return this.#weight(
      { name, kind: 'vector', rows: 1, columns: values.length, storedTransposed: false },
      'f32',
      values,
    );
  }

  #weight(spec: WeightSpec, format: WeightFormat, values: Float32Array): string {
    const name = this.#prefix + spec.name;
    this.#weights.push({ spec: { ...spec, name }, format, values });
    return name;
  }

  step(step: Step): void {
    this.#steps.push(step);
  }

  /** What was added so far is the encoder. */
  endEncoder(): void {
    this.#encoder = this.#steps;
    this.#steps = [];
  }

  async run(backend: Backend, capture: string[], batch: Batching = {}): Promise<RunResult> {
    const rows = batch.rows ?? Array.from({ length: this.rows }, (_, r) => ({ token: r, position: r, slot: 0 }));
    const program = await this.program(backend, capture, { ...batch, rows });
    try {
      return await program.run({ rows, logitRows: batch.logitRows ?? [], ...(batch.input && { input: batch.input }) });
    } finally {
      program.dispose();
    }
  }

  /** The program for batches like this one. */
  async program(
    backend: Backend,
    capture: string[],
    batch: Batching & { rows: Row[] },
    vocabSize = 1,
  ): Promise<Program> {
    for (const { spec, format, values } of this.#weights) await backend.addWeight(spec, format, piecesOf(values, spec));
    const plan: Plan = {
      nCtx: 1,
      vocabSize,
      weights: this.#weights.map(({ spec }) => spec),
      tensors: this.#tensors,
      aliases: new Map(),
      sources: this.#sources,
      ...(this.#encoder && { encoder: this.#encoder }),
      steps: this.#steps,
    };
    const size = {
      slots: 1 + Math.max(...batch.rows.map((row) => row.slot)),
      context: batch.context ?? this.rows,
      rows: batch.rows.length,
      logitRows: Math.max(1, batch.logitRows?.length ?? 0),
      ...(batch.source !== undefined && { source: batch.source }),
    };
    return backend.program(batch.change?.(plan) ?? plan, size, new Set(capture));
  }
}

/** The values in pieces of a few rows, so that the seams are tested too. */
async function* piecesOf(values: Float32Array, { rows, columns }: WeightSpec): AsyncGenerator<Float32Array> {
  const perPiece = Math.max(1, Math.ceil(rows / 3));
  for (let row = 0; row < rows; row += perPiece) yield values.subarray(row * columns, (row + perPiece) * columns);
}
