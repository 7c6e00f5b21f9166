import type { Drawn, DrawSettings, LogitRow, Program, ProgramSize, Row, RunResult } from '../plan/backend.ts';
import { badOption, VitrineError } from '../plan/error.ts';
import type { Profile } from '../plan/profile.ts';
import type { TokenScore } from '../plan/token-scores.ts';
import { decoderRow, encodingOf, isSameSource, type SourceText } from './memory.ts';
import type { History } from './options.ts';
import { type Host, Runner } from './runner.ts';

/** What to read a text for. */
export interface Reading {
  /** The first position whose results are wanted: it and all after it are run, whatever the cache holds. */
  from: number;
  /** Of those, the positions whose logits are wanted; all by default. */
  wants?: (position: number) => boolean;
  /** Ids to be judged by the logits of their positions, which then are not read. */
  target?: (position: number) => number;
  onScore?: (position: number, score: TokenScore) => void;
  onLogits?: (position: number, row: LogitRow) => void;
  onRun?: (result: RunResult, rows: readonly Row[]) => void;
  signal: AbortSignal | undefined;
}

/** The longest text that there will be, and the one that it is made from, where that is known: then a program has room for no more. */
export interface Room {
  text?: number;
  source?: number | undefined;
}

/** Positions for a text of a length: as many as the next power of two, so that texts of a length or so share sizes. */
const stepsTo = (length: number) => 2 ** Math.ceil(Math.log2(Math.max(8, length)));

/**
 * What a session's program has room for. `chunk`: the most rows of a prefill that are run at once; `isEncoded`: there is a memory,
 * of as many places as a text has.
 */
export function sessionSize(
  slots: number,
  { context: most, chunk, isEncoded = false }: { context: number; chunk: number; isEncoded?: boolean },
  { text = most, source = most }: Room = {},
): ProgramSize {
  const context = Math.min(most, stepsTo(text));
  const rows = Math.max(slots, Math.min(chunk, slots * context));
  const logitRows = Math.max(slots, Math.min(rows, 32));
  return { slots, context, rows, logitRows, ...(isEncoded && { source: Math.min(most, stepsTo(source)) }) };
}

/**
 * Ids of at least one token that fit the context.
 * @throws VitrineError `bad-option`, `context-full`, which call them `what`
 */
export function fitting(ids: number[], { context }: { context: number }, what: string): number[] {
  if (ids.length === 0) throw badOption(`The ${what} is empty; expected at least one token.`);
  if (ids.length <= context) return ids;
  throw new VitrineError('context-full', `The ${what} has ${ids.length} tokens; the context holds ${context}.`);
}

/**
 * Sequences being worked on, one per slot, with their keys and values cached by a program of their own. It knows which
 * ids each slot holds, and of an encoder-decoder which source its memory, so it can go on from them, and rebuild both on a new
 * device when the old one is lost.
 */
export class Session extends Runner {
  /** Ids whose keys and values each slot's cache holds. */
  readonly held: number[][];
  /** Whether another text may go on with it: its plan is the model's own, with an adapter or without. */
  readonly reusable: boolean;
  /** What the memory of a draw has been tried for. */
  readonly #tries = { full: false };
  /** What all slots' texts are written after; whether the memory holds it already. */
  #source: SourceText | undefined;
  #encoded = false;

  /** `plan`: the engine's own, or one with edits. */
  constructor(engine: Host, slots: number, plan = engine.plan, capture?: ReadonlySet<string>, room: Room = {}) {
    const { context, chunk } = engine;
    super(engine, plan, sessionSize(slots, { context, chunk, isEncoded: plan.encoder !== undefined }, room), capture);
    this.held = Array.from({ length: slots }, () => []);
    this.reusable = plan === engine.plan && !capture?.size;
  }

  get slots(): number {
    return this.size.slots;
  }

  /** From now on texts are written after this source. What was written after another is forgotten. */
  follow(source: SourceText | undefined): void {
    if (isSameSource(source, this.#source)) return;
    this.#source = source;
    this.#encoded = false;
    for (const ids of this.held) ids.length = 0;
  }

  /** How many ids at its beginning `ids` has in common with what slot 0 holds, if that is after the same source. */
  shared(ids: readonly number[], source = this.#source): number {
    if (!isSameSource(source, this.#source)) return 0;
    const held = this.held[0]!;
    let n = 0;
    while (n < held.length && n < ids.length && held[n] === ids[n]) n++;
    return n;
  }

  /**
   * Makes slot 0 hold `ids`, chunk by chunk, running only those that it does not hold yet or whose results are wanted.
   */
  async read(ids: readonly number[], { from, wants = () => true, ...rest }: Reading): Promise<void> {
    await this.#encode(rest);
    const held = this.held[0]!;
    held.length = Math.min(this.shared(ids), from);
    while (held.length < ids.length) {
      const rows: Row[] = [];
      const logitRows: number[] = [];
      for (let position = held.length; position < ids.length && rows.length < this.size.rows; position++) {
        if (position >= from && wants(position)) {
          if (logitRows.length === this.size.logitRows) break;
          logitRows.push(rows.length);
        }
        rows.push(this.#row(ids[position]!, position));
      }
      await this.engine.turn(rest.signal);
      const wanted = logitRows.map((row) => rows[row]!.position);
      const targets = rest.target && { targets: wanted.map(rest.target) };
      const result = await this.run({ rows, logitRows, ...targets }, rest.signal);
      held.push(...rows.map((row) => row.token));
      rest.onRun?.(result, rows);
      for (const [i, row] of this.#rowsOf(result).entries()) rest.onLogits?.(wanted[i]!, row);
      for (const [i, score] of result.scores.entries()) rest.onScore?.(wanted[i]!, score);
    }
    rest.signal?.throwIfAborted();
  }

  /** `read` for the logits after the last id. */
  async prefill(ids: readonly number[], signal?: AbortSignal): Promise<LogitRow> {
    const rows: LogitRow[] = [];
    await this.read(ids, { from: ids.length - 1, onLogits: (_, row) => rows.push(row), signal });
    return rows[0]!;
  }

  /** One more token for each slot named; gives the logits after each. */
  decode(tokens: readonly { slot: number; token: number }[], signal?: AbortSignal): Promise<LogitRow[]> {
    const parts = tokens.map(({ slot, token }) => ({ slot, ids: [token], wants: true }));
    return this.advance(parts, signal);
  }

  /** More ids for each slot named, in one run; gives the logits after the last of each of those that want them. */
  async advance(
    parts: readonly { slot: number; ids: readonly number[]; wants: boolean }[],
    signal?: AbortSignal,
  ): Promise<LogitRow[]> {
    const rows: Row[] = [];
    const logitRows: number[] = [];
    for (const { slot, ids, wants } of parts) {
      rows.push(...ids.map((token, i) => this.#row(token, this.held[slot]!.length + i, slot)));
      if (wants) logitRows.push(rows.length - 1);
    }
    await this.engine.turn(signal);
    const result = await this.run({ rows, logitRows }, signal);
    for (const { slot, ids } of parts) this.held[slot]!.push(...ids);
    return this.#rowsOf(result);
  }

  /** Times each step of a run of the last id, all before it in the cache. */
  async profile(ids: readonly number[], repeats: number, signal: AbortSignal | undefined): Promise<Profile> {
    await this.prefill(ids, signal);
    const row = this.#row(ids.at(-1)!, ids.length - 1);
    return this.use(signal, (program) => program.profile({ rows: [row], logitRows: [0] }, repeats, signal));
  }

  /** What the backend can draw by itself; undefined if nothing. */
  async drawLimits(signal?: AbortSignal): Promise<Program['drawLimits']> {
    return this.use(signal, async (program) => program.decode && program.drawLimits);
  }

  /**
   * Draws tokens that go on from `text`, `limit` at most, on the device (see `drawLimits`). Ends early if the device is
   * lost: calling again goes on, where the next one draws too.
   */
  async *draw(text: readonly number[], history: History, limit: number, settings: DrawSettings, signal?: AbortSignal) {
    const start = Math.max(Math.min(this.shared(text), text.length - 1), text.length - this.size.rows);
    await this.read(text.slice(0, start), { from: start, signal });
    const rows = text.slice(start).map((token, i) => this.#row(token, start + i));
    const engine = this.engine;
    const backend = await engine.backend(signal);
    let stream: AsyncGenerator<Drawn[], void> | undefined;
    try {
      const program = await engine.until(signal, this.on(backend, signal), backend);
      stream = program.decode?.({ rows, ...history, limit, settings, signal });
      let fed = text.slice(start);
      while (stream) {
        const next = await engine.until(signal, stream.next(), backend);
        if (next.done) return;
        this.#tries.full = false;
        for (const drawn of next.value) {
          // Once a token is drawn, those before it are in the cache.
          this.held[0]!.push(...fed);
          fed = [drawn.id];
          yield drawn;
        }
      }
    } catch (error) {
      await engine.survive(backend, error, this.#tries, signal);
    } finally {
      stream?.return().catch(() => {}); // not awaited: after an abort its last submit may still run
    }
  }

  /** Makes each `to` slot a copy of its `from` slot, all at once. */
  async copySlots(moves: { from: number; to: number }[], signal?: AbortSignal): Promise<void> {
    const ids = moves.map(({ from }) => [...this.held[from]!]);
    const length = Math.max(0, ...ids.map((held) => held.length));
    // Where it fails half way, nothing is known of what they hold.
    for (const { to } of moves) this.held[to] = [];
    await this.engine.attempt(signal, async (backend) => {
      // Made anew, a program is filled as `held` says by then.
      await this.made(backend)?.copySlots(moves, length);
    });
    moves.forEach(({ to }, i) => {
      this.held[to] = ids[i]!;
    });
  }

  #row(token: number, position: number, slot = 0): Row {
    return decoderRow(token, position, slot, this.#source);
  }

  /** Fills the memory, if it is not filled yet. */
  async #encode({ onRun, signal }: Pick<Reading, 'onRun' | 'signal'>): Promise<void> {
    if (!this.#source || this.#encoded) return;
    const batch = encodingOf(this.#source);
    await this.engine.turn(signal);
    const result = await this.run(batch, signal);
    this.#encoded = true;
    onRun?.(result, batch.rows);
  }

  #rowsOf({ logits: all, totals }: RunResult): LogitRow[] {
    const { vocabSize } = this.plan;
    return Array.from({ length: all.length / vocabSize }, (_, r) => {
      const logits = all.subarray(r * vocabSize, (r + 1) * vocabSize) as Float32Array<ArrayBuffer>;
      return { logits, ...totals?.[r] };
    });
  }

  protected override async fill(program: Program, wanted: () => void): Promise<void> {
    if (this.#source && this.#encoded) {
      wanted();
      await program.run(encodingOf(this.#source));
    }
    for (const [slot, ids] of this.held.entries()) {
      for (let start = 0; start < ids.length; start += this.size.rows) {
        wanted();
        const chunk = ids.slice(start, start + this.size.rows);
        await program.run({ rows: chunk.map((token, i) => this.#row(token, start + i, slot)), logitRows: [] });
      }
    }
  }
}
