import type { Backend, Batch, Drawn, DrawSettings, Program, ProgramSize, Row, RunResult } from '../plan/backend.ts';
import { VitrineError } from '../plan/error.ts';
import type { Plan } from '../plan/plan.ts';
import type { Profile } from '../plan/profile.ts';
import type { TokenScore } from '../plan/token-scores.ts';
import type { Engine } from './engine.ts';
import type { History } from './options.ts';

/** What to read a text for. */
export interface Reading {
  /** The first position whose results are wanted: it and all after it are run, whatever the cache holds. */
  from: number;
  /** Of those, the positions whose logits are wanted; all by default. */
  wants?: (position: number) => boolean;
  /** Ids to be judged by the logits of their positions, which then are not read. */
  target?: (position: number) => number;
  onScore?: (position: number, score: TokenScore) => void;
  onLogits?: (position: number, logits: Float32Array<ArrayBuffer>) => void;
  onRun?: (result: RunResult, rows: readonly Row[]) => void;
  signal: AbortSignal | undefined;
}

/** A session whose device goes away more often is given up. */
const mostLosses = 3;

/** What a session's program has room for. `chunk`: the most rows of a prefill that are run at once. */
export function sessionSize(slots: number, { context, chunk }: { context: number; chunk: number }): ProgramSize {
  return { slots, context, rows: Math.max(slots, chunk), logitRows: Math.max(slots, Math.min(chunk, 32)) };
}

/**
 * Sequences being worked on, one per slot, with their keys and values cached by a program of their own. It knows which
 * ids each slot holds, so it can go on from them, and rebuild the cache on a new device when the old one is lost.
 */
export class Session {
  /** Ids whose keys and values each slot's cache holds. */
  readonly held: number[][];
  /** Whether another text may go on with it: its plan is the model's own. */
  readonly reusable: boolean;
  readonly #engine: Engine;
  readonly #plan: Plan;
  readonly #size: ProgramSize;
  readonly #capture: ReadonlySet<string>;
  #home: Backend | undefined;
  #program: Program | undefined;
  #losses = 0;

  /** `plan`: the engine's own, or one with edits. The program is made by the first run. */
  constructor(engine: Engine, slots: number, plan: Plan = engine.plan, capture: ReadonlySet<string> = new Set()) {
    this.#engine = engine;
    this.#plan = plan;
    this.#capture = capture;
    this.#size = sessionSize(slots, engine);
    this.held = Array.from({ length: slots }, () => []);
    this.reusable = plan === engine.plan && capture.size === 0;
  }

  get slots(): number {
    return this.#size.slots;
  }

  /** Bytes of cache and activations. */
  get bytes(): number {
    return this.#program?.bytes ?? 0;
  }

  /** How many ids at its beginning `ids` has in common with what slot 0 holds. */
  shared(ids: readonly number[]): number {
    const held = this.held[0]!;
    let n = 0;
    while (n < held.length && n < ids.length && held[n] === ids[n]) n++;
    return n;
  }

  /**
   * Makes slot 0 hold `ids`, chunk by chunk, running only those that it does not hold yet or whose results are wanted.
   */
  async read(ids: readonly number[], { from, wants = () => true, ...rest }: Reading): Promise<void> {
    const held = this.held[0]!;
    held.length = Math.min(this.shared(ids), from);
    while (held.length < ids.length) {
      const rows: Row[] = [];
      const logitRows: number[] = [];
      for (let position = held.length; position < ids.length && rows.length < this.#size.rows; position++) {
        if (position >= from && wants(position)) {
          if (logitRows.length === this.#size.logitRows) break;
          logitRows.push(rows.length);
        }
        rows.push({ token: ids[position]!, position, slot: 0 });
      }
      await this.#engine.turn(rest.signal);
      const wanted = logitRows.map((row) => rows[row]!.position);
      const result = await this.#run({ rows, logitRows, ...(rest.target && { targets: wanted.map(rest.target) }) });
      held.push(...rows.map((row) => row.token));
      rest.onRun?.(result, rows);
      for (const [i, logits] of this.#rowsOf(result).entries()) rest.onLogits?.(wanted[i]!, logits);
      for (const [i, score] of result.scores.entries()) rest.onScore?.(wanted[i]!, score);
    }
  }

  /** `read` for the logits after the last id. */
  async prefill(ids: readonly number[], signal?: AbortSignal): Promise<Float32Array> {
    let logits = new Float32Array(0);
    const onLogits = (_: number, row: Float32Array<ArrayBuffer>) => {
      logits = row;
    };
    await this.read(ids, { from: ids.length - 1, onLogits, signal });
    return logits;
  }

  /** One more token for each slot named; gives the logits after each. */
  async decode(tokens: readonly { slot: number; token: number }[], signal?: AbortSignal): Promise<Float32Array[]> {
    const rows = tokens.map(({ slot, token }) => ({ token, position: this.held[slot]!.length, slot }));
    await this.#engine.turn(signal);
    const result = await this.#run({ rows, logitRows: [...rows.keys()] });
    for (const { slot, token } of tokens) this.held[slot]!.push(token);
    return this.#rowsOf(result);
  }

  /** Times each step of a run of the last id, all before it in the cache. */
  async profile(ids: readonly number[], repeats: number, signal: AbortSignal | undefined): Promise<Profile> {
    await this.prefill(ids, signal);
    const row = { token: ids.at(-1)!, position: ids.length - 1, slot: 0 };
    return this.#program!.profile({ rows: [row], logitRows: [0] }, repeats);
  }

  /** What this backend can draw by itself; undefined if nothing. */
  async drawLimits(): Promise<Program['drawLimits']> {
    const program = await this.#on(await this.#engine.backend());
    return program.decode && program.drawLimits;
  }

  /**
   * Draws tokens that go on from `text`, `limit` at most, on the device (see `drawLimits`). Ends early if the device is
   * lost: calling again goes on.
   */
  async *draw(
    text: readonly number[],
    history: History,
    limit: number,
    settings: DrawSettings,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Drawn, void> {
    const start = Math.max(Math.min(this.shared(text), text.length - 1), text.length - this.#size.rows);
    await this.read(text.slice(0, start), { from: start, signal });
    const rows = text.slice(start).map((token, i) => ({ token, position: start + i, slot: 0 }));
    const backend = await this.#engine.backend();
    try {
      const program = await this.#on(backend);
      let fed = text.slice(start);
      for await (const some of program.decode!({ rows, ...history, limit, settings })) {
        for (const drawn of some) {
          // Once a token is drawn, those before it are in the cache.
          this.held[0]!.push(...fed);
          fed = [drawn.id];
          yield drawn;
        }
      }
    } catch (error) {
      await this.#surviveLoss(backend, error);
    }
  }

  /** Makes each `to` slot a copy of its `from` slot, all at once. */
  copySlots(moves: { from: number; to: number }[]): void {
    const ids = moves.map(({ from }) => [...this.held[from]!]);
    this.#program?.copySlots(moves, Math.max(0, ...ids.map((held) => held.length)));
    moves.forEach(({ to }, i) => {
      this.held[to] = ids[i]!;
    });
  }

  dispose(): void {
    this.#program?.dispose();
  }

  #rowsOf({ logits }: RunResult): Float32Array<ArrayBuffer>[] {
    const { vocabSize } = this.#plan;
    const rows = logits.length / vocabSize;
    return Array.from(
      { length: rows },
      (_, r) => logits.subarray(r * vocabSize, (r + 1) * vocabSize) as Float32Array<ArrayBuffer>,
    );
  }

  /** Runs a batch; if the device is lost on the way, again on the next one. */
  async #run(batch: Batch): Promise<RunResult> {
    for (;;) {
      const backend = await this.#engine.backend();
      try {
        const program = await this.#on(backend);
        const result = await program.run(batch);
        this.#engine.alive();
        return result;
      } catch (error) {
        await this.#surviveLoss(backend, error);
      }
    }
  }

  async #surviveLoss(backend: Backend, error: unknown): Promise<void> {
    if (!(await this.#engine.isGone(backend)) || ++this.#losses > mostLosses) throw error;
  }

  /** The program on a backend, its cache as `held` says. */
  async #on(backend: Backend): Promise<Program> {
    if (this.#program && backend === this.#home) return this.#program;
    this.#program = undefined;
    const program = await this.#make(backend);
    for (const [slot, ids] of this.held.entries()) {
      for (let start = 0; start < ids.length; start += this.#size.rows) {
        const chunk = ids.slice(start, start + this.#size.rows);
        const rows = chunk.map((token, i) => ({ token, position: start + i, slot }));
        await program.run({ rows, logitRows: [] });
      }
    }
    this.#home = backend;
    this.#program = program;
    return program;
  }

  async #make(backend: Backend): Promise<Program> {
    try {
      return await backend.program(this.#plan, this.#size, this.#capture);
    } catch (error) {
      const full = error instanceof VitrineError && error.code === 'out-of-memory';
      if (!full || !this.#engine.dropIdle()) throw error;
      return backend.program(this.#plan, this.#size, this.#capture);
    }
  }
}
