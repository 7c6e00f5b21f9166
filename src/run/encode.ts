import type { SentenceConfig } from '../model/sentence.ts';
import type { Backend, Batch, ProgramSize, Row } from '../plan/backend.ts';
import { type Edit, withEdits } from '../plan/edit.ts';
import { VitrineError } from '../plan/error.ts';
import { tensorNamed } from '../plan/lens-names.ts';
import { joined, type Plan } from '../plan/plan.ts';
import type { Profile } from '../plan/profile.ts';
import { trimmed } from '../plan/trim.ts';
import { isSignal } from './check.ts';
import type { Engine } from './engine.ts';
import { editsCheck } from './options.ts';
import { Runner } from './runner.ts';
import { captures, select, type TraceOptions } from './trace.ts';

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
export interface Wanted<Text extends EncoderText = EncoderText> {
  /** Tensors of each of a text's rows [rows, ...]. */
  capture: readonly string[];
  /** Which of a text's rows [logitRows, ...] tensors and the logits are wanted of; none if absent. */
  logitRows?: (text: Text) => number[];
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

/** The size of an encoder's programs: `longest`, the longest text's rows, and by default as many as suit the device. */
export function encoderSize(
  kind: Backend['kind'],
  { nCtx, vocabSize }: Plan,
  longest = nCtx,
  most: number = rowsOn[kind],
): ProgramSize {
  const rows = Math.max(longest, most);
  return { slots: 1, context: rows, rows, logitRows: Math.max(1, Math.min(rows, Math.floor(mostLogits / vocabSize))) };
}

/** Programs of an encoder, one for each set of tensors that is asked for, of each plan that is in use. */
export class EncoderRuns {
  readonly #engine: Engine;
  readonly #isCausal: boolean;
  readonly #runners = new Map<Plan, Map<string, Runner>>();
  /** The plans of calls that have begun. */
  readonly #running: Plan[] = [];
  /** Rows at once where the device has no memory for as many as suit it. */
  #most: number | undefined;

  /** @param isCausal a row sees its text up to itself, as a decoder's do, and a text is seldom as long as may be */
  constructor(engine: Engine, isCausal = false) {
    this.#engine = engine;
    this.#isCausal = isCausal;
    engine.onAdapt(() => this.#tidy());
  }

  /**
   * Runs texts, packed into batches by their lengths.
   * @param take makes of a text's values what is wanted of it, so that the values of many texts need not be kept
   * @param onTexts told how many texts are done
   * @param plan the base's or that of an adapter that is at hand; by default the one that is on
   * @returns what `take` gave, in the texts' own order
   */
  async run<Text extends EncoderText, T>(
    texts: readonly Text[],
    wanted: Wanted<Text>,
    signal: AbortSignal | undefined,
    take: (encoded: Encoded, text: Text) => T,
    onTexts: (done: number) => void = () => {},
    plan = this.#engine.plan,
  ): Promise<T[]> {
    this.#running.push(plan);
    const results = new Array<T>(texts.length);
    let left = [...texts.keys()].sort((a, b) => texts[b]!.rows.length - texts[a]!.rows.length);
    try {
      while (left.length > 0) {
        const runner = this.#runnerFor(plan, wanted, texts[left[0]!]!.rows.length);
        const count = fitting(left, texts, runner.size.rows);
        const batch = left.slice(0, count).map((i) => texts[i]!);
        await this.#engine.turn(signal);
        const encoded = await runBatch(runner, batch, wanted, this.#isCausal, signal).catch((error: unknown) => {
          // Another call may have shrunk it meanwhile.
          if (!this.#shrink(error, runner) && [...this.#of(plan).values()].includes(runner)) throw error;
        });
        if (!encoded) continue;
        for (const [place, text] of batch.entries()) results[left[place]!] = take(encoded[place]!, text);
        left = left.slice(count);
        onTexts(texts.length - left.length);
      }
      return results;
    } finally {
      this.#running.splice(this.#running.indexOf(plan), 1);
      this.#tidy();
    }
  }

  /** After a failure: whether there was no memory for the program, and a smaller one may do. */
  #shrink(error: unknown, { size }: Runner): boolean {
    const isFull = error instanceof VitrineError && error.code === 'out-of-memory';
    if (!isFull || size.rows <= this.#engine.context) return false;
    this.#most = Math.floor(size.rows / 2);
    for (const plan of this.#runners.keys()) this.#drop(plan);
    return true;
  }

  /** Frees the programs of plans that nobody runs any more. */
  #tidy(): void {
    for (const plan of this.#runners.keys())
      if (!this.#engine.lasts(plan) && !this.#running.includes(plan)) this.#drop(plan);
  }

  #drop(plan: Plan): void {
    for (const runner of this.#of(plan).values()) runner.dispose();
    this.#runners.delete(plan);
  }

  #of(plan: Plan): Map<string, Runner> {
    return this.#runners.get(plan) ?? new Map<string, Runner>();
  }

  #runnerFor(plan: Plan, { capture, logitRows }: Pick<Wanted<never>, 'capture' | 'logitRows'>, rows: number): Runner {
    const names = new Set([...capture, ...(logitRows ? ['logits'] : [])]);
    const { current, context } = this.#engine;
    const longest = this.#isCausal ? Math.min(context, 2 ** Math.ceil(Math.log2(rows))) : context;
    const size = encoderSize(current.kind, plan, longest, this.#most);
    const key = `${[...names].sort().join(' ')} ${size.rows}`;
    const runners = this.#of(plan);
    const known = runners.get(key);
    if (known) return known;
    const runner = new Runner(this.#engine, trimmed(plan, names), size, new Set(capture));
    this.#runners.set(plan, runners.set(key, runner));
    return runner;
  }
}

/** How many of the texts `left` fit a batch of so many rows; one at least. */
function fitting(left: readonly number[], texts: readonly EncoderText[], most: number): number {
  let count = 0;
  for (let rows = 0; count < left.length; count++) {
    rows += texts[left[count]!]!.rows.length;
    if (rows > most) break;
  }
  return Math.max(1, count);
}

/** What `trace` of a text or an image takes. */
export const traceChecks = { capture: captures, edits: editsCheck, signal: isSignal };

/** What a head that is made can stand on. */
export interface Featured {
  runs: EncoderRuns;
  /** The tensor of the last hidden states. */
  hidden: string;
  /** The row that stands for the whole input, where nothing else does. */
  row: 'first' | 'last';
  /** How an encoder's embeddings are made. */
  sentences?: SentenceConfig;
  /** There is a pooler that no head of the model's own stands on. */
  pools?: boolean;
}

/**
 * One text through a program of its own that keeps what a trace asks for, edited on the way.
 * @param more tensors that are kept besides, and edits as they are of all rows
 * @returns the names that were asked for with those of the plan, and values by these, `logits` too: [kept rows, ...], [logitRows, ...]
 *   and [nHead, kept rows, kept rows]
 */
export async function traceText(
  engine: Engine,
  text: EncoderText,
  { capture = [], edits = [], signal }: TraceOptions,
  logitRows: readonly number[],
  more: { kept?: readonly string[]; moved?: (edit: Edit) => Edit } = {},
) {
  const { plan } = engine;
  const { kept = [], moved = (edit) => edit } = more;
  const names = select(plan, capture).map((name) => [name, tensorNamed(plan, name)] as const);
  const edited = edits.length > 0 ? withEdits(plan, edits.map(moved), text.length) : plan;
  return withOne(engine, edited, text, logitRows, new Set([...names.map(([, name]) => name), ...kept]), async (one) => {
    await engine.turn(signal);
    const { captured, logits } = await one.runner.run(one.batch, signal);
    return { names, found: captured.set('logits', logits) };
  });
}

/** How long each step takes for a text. */
export function profileText(
  engine: Engine,
  text: EncoderText,
  logitRows: readonly number[],
  repeats: number,
  signal: AbortSignal | undefined,
): Promise<Profile> {
  return withOne(engine, engine.plan, text, logitRows, new Set(), ({ runner, batch }) =>
    runner.use(signal, (program) => program.profile(batch, repeats, signal)),
  );
}

/** What `use` makes of a program for one text, and of the text's batch. */
async function withOne<T>(
  engine: Engine,
  plan: Plan,
  text: EncoderText,
  logitRows: readonly number[],
  capture: ReadonlySet<string>,
  use: (one: { runner: Runner; batch: Batch }) => Promise<T>,
): Promise<T> {
  const rows = text.rows.length;
  const size = { slots: 1, context: rows, rows, logitRows: Math.max(1, logitRows.length) };
  const runner = new Runner(engine, plan, size, capture);
  const batch = { rows: rowsAt(text, 0, false), logitRows: [...logitRows], ...(text.input && { input: text.input }) };
  try {
    return await use({ runner, batch });
  } finally {
    runner.dispose();
  }
}

/** A text's rows in a batch, the first of them at `first`. Each sees all of its text, or all up to itself. */
function rowsAt({ rows }: EncoderText, first: number, isCausal: boolean): Row[] {
  return rows.map(({ token, position, segment }, i) => ({
    ...{ token, position, segment, slot: 0 },
    ...{ at: first + i, first, sees: isCausal ? i + 1 : rows.length },
  }));
}

async function runBatch<Text extends EncoderText>(
  runner: Runner,
  texts: readonly Text[],
  { capture, logitRows }: Wanted<Text>,
  isCausal: boolean,
  signal: AbortSignal | undefined,
): Promise<Encoded[]> {
  const rows: Row[] = [];
  const places = texts.map((text) => {
    const first = rows.length;
    rows.push(...rowsAt(text, first, isCausal));
    return { first, sees: text.rows.length, logits: (logitRows?.(text) ?? []).map((row) => first + row) };
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
