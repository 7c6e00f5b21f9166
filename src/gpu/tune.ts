import type { KvFormat } from '../plan/kv.ts';
import { after } from '../plan/patience.ts';
import { type Plan, stepInputs, stepOutputs } from '../plan/plan.ts';
import { BATCH_WORDS, ROW_WORDS } from '../plan/rows.ts';
import { Buffers } from './buffers.ts';
import { describe } from './device.ts';
import { encode, prepare } from './dispatch.ts';
import type { Kernel, RunSizes } from './kernel.ts';
import { type Variants, variantsOn } from './kernels/linear.ts';
import { makeSources } from './lay-out.ts';
import { gpuShape, lowerAll } from './lower.ts';
import { PassClock } from './pass-clock.ts';
import { Readback } from './readback.ts';
import type { Pipelines } from './shader.ts';
import { stepListsOf } from './step-lists.ts';
import type { TuneStore } from './tune-store.ts';
import type { WeightStore } from './weight-store.ts';
import type { Weights } from './weights.ts';

/** All measuring together takes no longer; what was not reached by then stays as it was. */
export const TUNING_MS = 400;
/** Rows of the prefill that is measured. */
const ROWS = 64;
const RUNS = 3;

export interface Tunable {
  device: GPUDevice;
  pipelines: Pipelines;
  weights: WeightStore;
  kv: KvFormat;
}

/**
 * The fastest variants for a plan on its device, measured on all of its linear layers: a decoded token's, and those of a
 * prefill of 64 rows. `given` is measured first, and stays where nothing is faster. A choice that is kept in `store` for
 * this adapter and these shapes is taken without measuring.
 */
export async function tune(on: Tunable, plan: Plan, given: Variants, store: TuneStore): Promise<Variants> {
  const kept = await keptChoice(on, plan, store);
  if (kept) return kept;
  const names = variantsOn(on.device.features);
  const end = performance.now() + TUNING_MS;
  const buffers = new Buffers(on.device);
  const readback = new Readback(on.device, buffers);
  let clock: PassClock | undefined;
  try {
    clock = await buffers.allocate('measuring', () => new PassClock(on.device, buffers, readback));
    const bench = new Bench(on, plan, buffers, clock, end);
    const first = <T>(all: T[], one: T) => [one, ...all.filter((other) => other !== one)];
    const row = await bench.fastest(first(names.row, given.row), 'row', (name) => ({ ...given, row: name }));
    const tile = await bench.fastest(first(names.tile, given.tile), 'tile', (name) => ({ ...given, tile: name }));
    const chosen = { row, tile };
    await store.set(keyOf(on, plan), JSON.stringify(chosen));
    return chosen;
  } finally {
    clock?.destroy();
    buffers.destroyAll();
  }
}

/** What was chosen before for this adapter and these shapes. */
export async function keptChoice(on: { device: GPUDevice; weights: Weights }, plan: Plan, store: TuneStore) {
  const names = variantsOn(on.device.features);
  const { row, tile } = parse(await store.get(keyOf(on, plan)));
  return names.row.includes(row!) && names.tile.includes(tile!) ? ({ row, tile } as Variants) : undefined;
}

/** Adapter, what it offers, and the shapes and formats of the matrices. */
function keyOf({ device, weights }: { device: GPUDevice; weights: Weights }, plan: Plan): string {
  const shapes = plan.weights
    .filter(({ kind }) => kind === 'matrix')
    .map(({ name, rows, columns }) => `${weights.matrix(name).format} ${rows}x${columns}`);
  const names = JSON.stringify(variantsOn(device.features));
  return `${describe(device.adapterInfo)} ${names} ${[...new Set(shapes)].join(' ')}`;
}

function parse(text: string | undefined): Partial<Variants> {
  try {
    return JSON.parse(text ?? '{}') ?? {};
  } catch {
    return {}; // written by somebody else
  }
}

/** Times lists of dispatches over scratch tensors. */
class Bench {
  readonly #on: Tunable;
  readonly #plan: Plan;
  readonly #buffers: Buffers;
  readonly #end: number;
  readonly #clock: PassClock;
  /** Settles when the clock is free. */
  #measured: Promise<unknown> = Promise.resolve();

  constructor(on: Tunable, plan: Plan, buffers: Buffers, clock: PassClock, end: number) {
    this.#on = on;
    this.#plan = plan;
    this.#buffers = buffers;
    this.#end = end;
    this.#clock = clock;
  }

  /** The fastest of the names by the time that is left; the first if none could be measured. */
  async fastest<T extends string>(names: T[], shape: 'row' | 'tile', variants: (name: T) => Variants): Promise<T> {
    // Half of the time for each of the two.
    const end = shape === 'row' ? performance.now() + TUNING_MS / 2 : this.#end;
    const time = { over: false };
    let best = { name: names[0]!, ms: Number.POSITIVE_INFINITY };
    for (const name of names) {
      const left = end - performance.now();
      if (left <= 0) break;
      // A pipeline that compiles for longer is left to itself.
      const pause = after(left);
      const over = pause.promise.then(() => void (time.over = true));
      const ms = await Promise.race([this.#time(shape, variants(name), time), over]).finally(pause.cancel);
      if (ms === undefined) break;
      if (ms < best.ms) best = { name, ms };
    }
    return best.name;
  }

  async #time(shape: 'row' | 'tile', variants: Variants, time: { over: boolean }): Promise<number | undefined> {
    const rows = shape === 'row' ? 1 : ROWS;
    const { device, pipelines, weights } = this.#on;
    const kernels = await weights.allocate(this.#buffers, 'measuring', () => this.#layOut(variants, rows));
    const dispatches = await prepare(device, pipelines, kernels);
    const tiles = { context: true, source: true };
    const sizes: RunSizes = { rows, logitRows: 1, context: rows, source: 0, tiles };
    let best = Number.POSITIVE_INFINITY;
    for (let run = 0; run <= RUNS; run++) {
      await this.#measured; // the last one of the other shape may still be under way
      if (time.over) return undefined;
      weights.alive();
      const measured = this.#clock.time((pass) => encode(pass, dispatches, sizes));
      this.#measured = measured.catch(() => {});
      const { gpu, wall } = await measured;
      if (run > 0) best = Math.min(best, gpu || wall); // the first one warms up
    }
    return best;
  }

  /** All linear layers of the fused plan, each with its own weights: their caches are as cold as in a run. */
  #layOut(variants: Variants, rows: number): Kernel[] {
    const { device, weights, kv } = this.#on;
    const plan = this.#plan;
    const size = { slots: 1, context: rows, rows, logitRows: 1, source: rows };
    const lists = stepListsOf(plan, size, { weights, kv })
      .filter(({ part }) => (part === 'one') === (rows === 1))
      .map((list) => ({ ...list, steps: list.steps.filter(({ op }) => op === 'linear') }));
    const make = (label: string, bytes: number) => this.#buffers.create(`tuning: ${label}`, bytes);
    const used = lists.flatMap((list) =>
      list.steps
        .flatMap((step) => [...stepInputs(step), ...stepOutputs(step)])
        .map((name) => gpuShape(plan, name, list).length),
    );
    const floats = Math.max(...used);
    const [x, y, normed] = ['input', 'output', 'normed input'].map((label) => make(label, floats * 4)) as [
      GPUBuffer,
      GPUBuffer,
      GPUBuffer,
    ];
    let keys: GPUBuffer | undefined;
    const sources = makeSources(plan, size, kv, (_, bytes) =>
      keys && keys.size >= bytes ? keys : (keys = make('keys', bytes)),
    );
    const batch = make('batch', 4 * (BATCH_WORDS + rows * ROW_WORDS));
    device.queue.writeBuffer(batch, 0, Uint32Array.of(rows, 1, rows, 0));
    const unused = make('unused', 16);
    const to = { batch, buffers: this.#buffers, unused, labels: unused };
    const target = { weights, variants, attention: 'registers' as const }; // no step here is attention
    return lists.flatMap((list) =>
      list.steps.flatMap((step) => {
        const others = step.op === 'linear' ? step.outputs : [];
        const tensor = (name: string) => (stepInputs(step).includes(name) ? x : others.includes(name) ? y : normed);
        const source = (name: string) => sources.get(name)!;
        return lowerAll(plan, { ...list, steps: [step] }, target, { ...to, tensor, source })[0]!.kernels;
      }),
    );
  }
}
