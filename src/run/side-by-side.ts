import type { LogitRow } from '../plan/backend.ts';
import type { Plan } from '../plan/plan.ts';
import { newTask } from '../plan/task.ts';
import { untilAborted } from '../plan/until-aborted.ts';
import type { Engine } from './engine.ts';
import { scored } from './output.ts';
import { sample } from './sampling.ts';
import { Session, sessionSize } from './session.ts';
import type { Lane, Work } from './work.ts';

/** The most texts at once, and bytes of their keys and values and of what a run works with. */
const mostSlots = 64;
const mostBytes = 2 ** 29;

/** A call for the logits after some ids. */
interface Asked {
  slot: number;
  /** What of them is not run yet. */
  ids: number[];
  isBegun: boolean;
  resolve(row: LogitRow): void;
  reject(error: unknown): void;
}

/**
 * Texts that are written side by side, by one call or several: each run has a row of every text that is asked for its next token, and
 * what room is left is for prompts, piece by piece. Who is aborted or leaves touches none of the others.
 */
export class SharedRuns {
  readonly plan: Plan;
  readonly #session: Session;
  readonly #free: number[];
  readonly #waiting: ((lane: Lane) => void)[] = [];
  readonly #asked: Asked[] = [];
  /** Slots whose texts have left while a run was under way. */
  readonly #left: number[] = [];
  #isRunning = false;
  readonly #onEmpty: () => void;

  /** For so many texts, if there is room for them, each of so many ids at most. */
  constructor(engine: Engine, slots: number, text: number, onEmpty: () => void = () => {}) {
    this.plan = engine.plan;
    this.#session = new Session(engine, slots, engine.plan, undefined, { text });
    this.#free = [...this.#session.held.keys()];
    this.#onEmpty = onEmpty;
  }

  /** Runs for `texts`, or as many of them as there is memory for; undefined where that is fewer than two. */
  static open(engine: Engine, texts: number, text: number, onEmpty?: () => void): SharedRuns | undefined {
    const { context, chunk, plan } = engine;
    const bytesOf = (slots: number) =>
      engine.current.programBytes(plan, sessionSize(slots, { context, chunk }, { text }));
    let slots = Math.min(texts, mostSlots);
    while (slots > 1 && bytesOf(slots) > mostBytes) slots >>= 1;
    return slots > 1 ? new SharedRuns(engine, slots, text, onEmpty) : undefined;
  }

  /** Whether a text of so many ids can join at once. */
  takes(text: number): boolean {
    return this.#free.length > 0 && text <= this.#session.size.context;
  }

  /** A place for a text, once there is one. */
  async join(signal: AbortSignal | undefined): Promise<Lane> {
    const slot = this.#free.shift();
    if (slot !== undefined) return this.#lane(slot);
    let take = (_: Lane) => {};
    const lane = new Promise<Lane>((resolve) => {
      take = resolve;
    });
    this.#waiting.push(take);
    return untilAborted(lane, signal).catch((error: unknown) => {
      const at = this.#waiting.indexOf(take);
      if (at >= 0) this.#waiting.splice(at, 1);
      else void lane.then((taken) => taken.leave()); // it came at the same time
      throw error;
    });
  }

  #lane(slot: number): Lane {
    this.#session.held[slot] = [];
    let isThere = true;
    return {
      advance: (ids, signal) => untilAborted(this.#advance(slot, ids), signal),
      leave: () => {
        if (isThere && this.#isRunning) this.#left.push(slot);
        else if (isThere) this.#vacate(slot);
        isThere = false;
      },
    };
  }

  #vacate(slot: number): void {
    const at = this.#asked.findIndex((asked) => asked.slot === slot);
    if (at >= 0) this.#asked.splice(at, 1);
    const next = this.#waiting.shift();
    if (next) return next(this.#lane(slot));
    this.#free.push(slot);
    if (this.#free.length < this.#session.slots) return;
    this.dispose();
    this.#onEmpty();
  }

  dispose(): void {
    this.#session.dispose();
  }

  #advance(slot: number, ids: readonly number[]): Promise<LogitRow> {
    return new Promise((resolve, reject) => {
      this.#asked.push({ slot, ids: [...ids], isBegun: this.#session.held[slot]!.length > 0, resolve, reject });
      void this.#run();
    });
  }

  async #run(): Promise<void> {
    if (this.#isRunning) return;
    this.#isRunning = true;
    for (;;) {
      await newTask(); // whoever has got a token asks for the next one meanwhile
      for (const slot of this.#left.splice(0)) this.#vacate(slot);
      if (this.#asked.length === 0) break;
      const parts = shares(this.#asked, this.#session.size.rows);
      try {
        const rows = await this.#session.advance(
          parts.map(({ asked, ids, isLast }) => ({ slot: asked.slot, ids, wants: isLast })),
        );
        for (const { asked, isLast } of parts) if (isLast) this.#drop(asked).resolve(rows.shift()!);
      } catch (error) {
        for (const { asked } of parts) this.#drop(asked).reject(error);
      }
    }
    this.#isRunning = false;
  }

  #drop(asked: Asked): Asked {
    this.#asked.splice(this.#asked.indexOf(asked), 1);
    return asked;
  }
}

/** What of each text is run next, in so many rows: a token of each that is being written, then pieces of prompts, in the order in which they came. */
function shares(asked: readonly Asked[], rows: number): { asked: Asked; ids: number[]; isLast: boolean }[] {
  let left = rows;
  const writing = asked.filter(({ isBegun, ids }) => isBegun && ids.length === 1);
  const reading = asked.filter((one) => !writing.includes(one));
  return [...writing, ...reading].flatMap((one) => {
    const ids = one.ids.splice(0, left);
    left -= ids.length;
    return ids.length > 0 ? [{ asked: one, ids, isLast: one.ids.length === 0 }] : [];
  });
}

/** Goes on with a text in runs that it shares with others: its tokens are those that it gets alone. */
export async function* together({ tokenizer, prompt, settings, outputs, clock }: Work, lane: Lane) {
  const [output] = outputs as [Work['outputs'][number]];
  try {
    for (let ahead = [...prompt, ...output.ids]; !output.finishReason; ahead = [output.ids.at(-1)!]) {
      clock.start();
      const row = await lane.advance(ahead, settings.signal);
      const id = sample(row, settings, { prompt, generated: output.ids }, 0);
      const token = output.push(scored(id, row, settings.topLogprobs, tokenizer));
      clock.stop(1);
      yield token;
    }
  } finally {
    lane.leave();
  }
}
