import type { Backend, ProgramSize, Row } from '../plan/backend.ts';
import type { Plan } from '../plan/plan.ts';
import type { Profile } from '../plan/profile.ts';
import { trimmed } from '../plan/trim.ts';
import type { Engine } from './engine.ts';
import { Runner } from './runner.ts';

/** A text as an encoder reads it: of n ids, those that it sees. */
export interface EncoderText {
  /** All of its ids, those that a mask drops too. */
  length: number;
  /** The rows that are run, in order; `at` is each one's place among the text's ids. */
  rows: { token: number; position: number; segment: number; at: number }[];
  /** The numbers of a plan with an `input` step, [rows, width]. */
  input?: Float32Array;
}

/** What is wanted of texts. */
export interface Wanted {
  /** Tensors of each of a text's rows [rows, ...]. */
  capture: readonly string[];
  /** Which of a text's rows [logitRows, ...] tensors and the logits are wanted of; none if absent. */
  logitRows?: (text: EncoderText) => number[];
}

/** What an encoder gave for a text: values of its rows that were run, one behind the other. */
export interface Encoded {
  logits: Float32Array;
  captured: Map<string, Float32Array>;
}

/** Rows that are run at once where texts are many: what keeps the device busy and fits its memory. */
const rowsOn = { webgpu: 1024, wasm: 512, cpu: 128 };
/** Floats of logits that one run may give. */
const mostLogits = 1 << 24;

/** The size of an encoder's programs: the longest text fits. */
export function encoderSize(kind: Backend['kind'], { nCtx, vocabSize }: Plan): ProgramSize {
  const rows = Math.max(nCtx, rowsOn[kind]);
  return { slots: 1, context: rows, rows, logitRows: Math.max(1, Math.min(rows, Math.floor(mostLogits / vocabSize))) };
}

/** Programs of an encoder, one for each set of tensors that is asked for. */
export class EncoderRuns {
  readonly #engine: Engine;
  readonly #runners = new Map<string, Runner>();

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /**
   * Runs texts, packed into batches by their lengths; what is asked for comes in the texts' own order.
   * @param onTexts told how many texts are done
   */
  async run(
    texts: readonly EncoderText[],
    wanted: Wanted,
    signal: AbortSignal | undefined,
    onTexts: (done: number) => void = () => {},
  ): Promise<Encoded[]> {
    const results = new Array<Encoded>(texts.length);
    const runner = this.#runnerFor(wanted);
    let done = 0;
    for (const batch of packed(texts, runner.size.rows)) {
      await this.#engine.turn(signal);
      const encoded = await runBatch(
        runner,
        batch.map((i) => texts[i]!),
        wanted,
        signal,
      );
      for (const [place, i] of batch.entries()) results[i] = encoded[place]!;
      onTexts((done += batch.length));
    }
    return results;
  }

  #runnerFor({ capture, logitRows }: Wanted): Runner {
    const names = new Set([...capture, ...(logitRows ? ['logits'] : [])]);
    const key = [...names].sort().join(' ');
    const known = this.#runners.get(key);
    if (known) return known;
    const { plan, current } = this.#engine;
    const runner = new Runner(this.#engine, trimmed(plan, names), encoderSize(current.kind, plan), new Set(capture));
    this.#runners.set(key, runner);
    return runner;
  }
}

/** Indices of the texts, longest first, in batches of so many rows at most; each text is in one of them. */
function packed(texts: readonly EncoderText[], most: number): number[][] {
  const batches: number[][] = [];
  let room = 0;
  for (const i of [...texts.keys()].sort((a, b) => texts[b]!.rows.length - texts[a]!.rows.length)) {
    const { length } = texts[i]!.rows;
    if (length > room) {
      batches.push([]);
      room = most;
    }
    batches.at(-1)!.push(i);
    room -= length;
  }
  return batches;
}

/**
 * One text through a program of its own that keeps tensors, edited on the way.
 * @returns by the plan's names, and `logits`: [kept rows, ...], [logitRows, ...] and [nHead, kept rows, kept rows]
 */
export async function traceText(
  engine: Engine,
  plan: Plan,
  text: EncoderText,
  names: ReadonlySet<string>,
  logitRows: readonly number[],
  signal: AbortSignal | undefined,
): Promise<Map<string, Float32Array>> {
  const rows = text.rows.length;
  const size = { slots: 1, context: rows, rows, logitRows: Math.max(1, logitRows.length) };
  const runner = new Runner(engine, plan, size, names);
  try {
    const batch = rowsOfOne(text);
    await engine.turn(signal);
    const input = text.input && { input: text.input };
    const { captured, logits } = await runner.run({ rows: batch, logitRows: [...logitRows], ...input }, signal);
    return captured.set('logits', logits);
  } finally {
    runner.dispose();
  }
}

/** How long each step takes for a text. */
export async function profileText(
  engine: Engine,
  text: EncoderText,
  repeats: number,
  signal: AbortSignal | undefined,
): Promise<Profile> {
  const runner = new Runner(engine, engine.plan, encoderSize(engine.current.kind, engine.plan));
  const input = text.input && { input: text.input };
  try {
    const batch = { rows: rowsOfOne(text), logitRows: [0], ...input };
    return await runner.use(signal, (program) => program.profile(batch, repeats, signal));
  } finally {
    runner.dispose();
  }
}

/** The rows of a text that is run alone. */
function rowsOfOne({ rows }: EncoderText): Row[] {
  return rows.map(({ token, position, segment }, at) => ({
    ...{ token, position, segment, slot: 0 },
    ...{ at, first: 0, sees: rows.length },
  }));
}

async function runBatch(
  runner: Runner,
  texts: readonly EncoderText[],
  { capture, logitRows }: Wanted,
  signal: AbortSignal | undefined,
): Promise<Encoded[]> {
  const rows: Row[] = [];
  const places = texts.map((text) => {
    const first = rows.length;
    const sees = text.rows.length;
    for (const [i, { token, position, segment }] of text.rows.entries()) {
      rows.push({ token, position, segment, slot: 0, at: first + i, first, sees });
    }
    return { first, sees, logits: (logitRows?.(text) ?? []).map((row) => first + row) };
  });
  const all = places.flatMap(({ logits }) => logits);
  const inputs = texts.flatMap(({ input }) => input ?? []);
  const input = inputs.length > 0 && { input: inputs.length === 1 ? inputs[0]! : joined(inputs) };
  const parts: Float32Array[] = [];
  const captured = new Map<string, Float32Array>();
  const isOfRows = (name: string) => runner.plan.tensors.get(name)!.shape[0] !== 'logitRows';
  // More logits than fit are made by running the batch again.
  for (let from = 0; from === 0 || from < all.length; from += runner.size.logitRows) {
    const chosen = all.slice(from, from + runner.size.logitRows);
    const result = await runner.run({ rows, logitRows: chosen, ...input }, signal);
    parts.push(result.logits);
    for (const name of capture) {
      const values = result.captured.get(name)!;
      if (from === 0) captured.set(name, values);
      else if (!isOfRows(name)) captured.set(name, joined([captured.get(name)!, values]));
    }
  }
  const logits = parts.length === 1 ? parts[0]! : joined(parts);
  let given = 0;
  return places.map((place) => {
    const share = (values: Float32Array, isOfRows: boolean) => {
      const width = values.length / Math.max(1, isOfRows ? rows.length : all.length);
      return isOfRows
        ? values.slice(place.first * width, (place.first + place.sees) * width)
        : values.slice(given * width, (given + place.logits.length) * width);
    };
    const own = {
      logits: share(logits, false),
      captured: new Map(capture.map((name) => [name, share(captured.get(name)!, isOfRows(name))])),
    };
    given += place.logits.length;
    return own;
  });
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const whole = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
