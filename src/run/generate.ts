import type { DrawSettings, LogitRow } from '../plan/backend.ts';
import { VitrineError } from '../plan/error.ts';
import { part } from '../plan/part.ts';
import { Company, lengthOf, sharesRuns } from './company.ts';
import type { Settings } from './options.ts';
import { Clock, type Completion, completionOf, Output, scored, type Token } from './output.ts';
import { broken, sample } from './sampling.ts';
import { Session } from './session.ts';
import type { Generation, Work } from './work.ts';

const editing = () => part('What edits models', () => import('../plan/edit.ts'));
const searching = () => part('What searches with beams', () => import('./beam.ts'));
const drafting = () => part('What drafts tokens', () => import('./speculate.ts'));
const sharing = () => part('What writes side by side', () => import('./side-by-side.ts'));

/**
 * Yields tokens as they are generated and returns the completion. Of several samples the first one's tokens are
 * yielded; of beams the best one's, once it is known. Left early (`return()`), it returns what there is, with
 * `finishReason: 'abort'`.
 * @throws VitrineError `context-full` for a prompt longer than the context; the signal's reason when it aborts
 */
export async function* generate(generation: Generation): AsyncGenerator<Token, Completion> {
  const { engine, prompt, source, settings } = generation;
  const { numReturnSequences, signal } = settings;
  signal?.throwIfAborted();
  const room = roomFor(generation);
  const outputs = Array.from({ length: numReturnSequences }, () => beginning(generation));
  const clock = new Clock();
  const session = await open(generation);
  const window = slidingWindow(prompt, outputs[0]!, engine.context);
  const cached = Math.min(session.shared(window()), prompt.length - 1);
  const work: Work = { ...generation, session, outputs, window, clock, cached };
  const completion = () =>
    completionOf(outputs, { prompt: source?.rows.length ?? prompt.length, settings, cached: work.cached, clock });
  let left = true;
  try {
    for await (const token of stepsOf(work, room)) {
      signal?.throwIfAborted();
      yield token;
      signal?.throwIfAborted();
    }
    left = false;
    engine.proved();
    return completion();
  } catch (error) {
    left = false;
    throw error;
  } finally {
    engine.giveBack(session);
    // biome-ignore lint/correctness/noUnsafeFinally: this is how a generator gives return() a value
    if (left) return completion();
  }
}

/** What a generator returns in the end. */
export async function toEnd<T>(tokens: AsyncGenerator<unknown, T>): Promise<T> {
  for (;;) {
    const next = await tokens.next();
    if (next.done) return next.value;
  }
}

/**
 * Tokens that may be written until the context is full.
 * @throws VitrineError `context-full` for a prompt that is longer
 */
function roomFor({ engine, prompt, settings }: Generation): number {
  if (settings.onContextFull === 'slide') return Number.POSITIVE_INFINITY;
  // A token needs a place only when another follows: the last one may stand right behind the context.
  if (prompt.length <= engine.context) return engine.context - prompt.length + 1;
  const message = `The prompt has ${prompt.length} tokens; the context holds ${engine.context}.`;
  const hint = "Shorten it, or pass onContextFull: 'slide' to go on from its end.";
  throw new VitrineError('context-full', message, { hint });
}

/** A text that is still to be written. */
export function beginning(generation: Generation): Output {
  const { tokenizer, prompt, source, settings } = generation;
  const goesOn = !source && prompt.some((id) => !tokenizer.specialIds.has(id));
  return new Output(settings, tokenizer, roomFor(generation), goesOn);
}

async function* stepsOf(work: Work, room: number): AsyncGenerator<Token> {
  if (work.runs) yield* orAlone(work, room, shared(work, work.runs));
  else if (sharesRuns(work)) yield* inCompany(work, room);
  else yield* alone(work, room);
}

async function* shared(work: Work, runs: NonNullable<Work['runs']>): AsyncGenerator<Token> {
  const { together } = await sharing();
  work.cached = 0;
  yield* together(work, await runs.join(work.settings.signal));
}

/** What is too much for all together may be had by each alone. */
async function* orAlone(work: Work, room: number, together: AsyncGenerator<Token>, mayBe = () => true) {
  try {
    yield* together;
  } catch (error) {
    if (!(error instanceof VitrineError) || error.code !== 'out-of-memory' || !mayBe()) throw error;
    yield* alone(work, room);
  }
}

/** Alone as long as no other call is under way, or has room; else in runs that they share. */
async function* inCompany(work: Work, room: number): AsyncGenerator<Token> {
  const company = Company.of(work.engine);
  const mayBe = () => {
    if (!company.isAlone) company.separate();
    return !company.isAlone;
  };
  try {
    yield* orAlone(work, room, aloneOrTogether(work, room, company), mayBe);
  } finally {
    company.leave(work);
  }
}

async function* aloneOrTogether(work: Work, room: number, company: Company): AsyncGenerator<Token> {
  const { prompt, settings, outputs, cached } = work;
  const [output] = outputs as [Output];
  // What a text has in a cache of its own is run again among the others: not where that is more than what is still to come.
  const moves = () => company.takes(lengthOf(work)) && settings.maxNewTokens > output.ids.length + (prompt.length >> 2);
  const knowsMuch = cached >= 32 && cached * 2 >= prompt.length;
  await company.enter(work);
  let lane = knowsMuch ? undefined : await company.join(work);
  if (!lane)
    for await (const token of alone(work, room)) {
      yield token;
      if (!output.finishReason && moves()) lane = await company.join(work);
      if (lane) break;
    }
  const taken = lane;
  if (taken) yield* shared(work, { join: async () => taken });
}

async function* alone(work: Work, room: number): AsyncGenerator<Token> {
  const { session, settings } = work;
  if (settings.numBeams > 1) return yield* search(work, room);
  if (settings.speculate) return yield* (await drafting()).speculate(work);
  if (await drawsOnDevice(session, settings)) {
    const { forcedBosTokenId, beginSuppressTokens } = settings;
    if (forcedBosTokenId !== null || beginSuppressTokens.length > 0) yield* decode(work, 1);
    yield* draw(work);
  }
  yield* decode(work); // all, or what a device that draws left undone as it went
}

/** A session for a prompt; with edits one of its own, since its cache is good for nothing else. */
async function open({ engine, prompt, source, settings }: Generation): Promise<Session> {
  const slots = Math.max(settings.numBeams, settings.numReturnSequences);
  if (settings.edits.length === 0) return engine.borrow(prompt, slots, source);
  engine.alive();
  const { withEdits } = await editing();
  const edited = withEdits(engine.plan, settings.edits, prompt.length, source?.rows.length);
  const room = { text: prompt.length + settings.maxNewTokens, source: source?.length };
  const session = new Session(engine, slots, edited, undefined, room);
  session.follow(source);
  return session;
}

/**
 * What of a growing text is run: all of it, or where that does not fit, its newest half context and what has come since.
 * Asked for anew after a loss it is what it was.
 */
function slidingWindow(prompt: number[], { ids }: Output, context: number): () => number[] {
  let from = 0;
  return () => {
    const text = [...prompt, ...ids];
    if (text.length - from > context) from = text.length - Math.max(1, Math.floor(context / 2));
    return text.slice(from);
  };
}

/** Samples (or the greedy text) as rows of one batch, prefilled once; every token, to a number of `most`, is chosen here. */
async function* decode(work: Work, most = Number.POSITIVE_INFINITY): AsyncGenerator<Token> {
  const { tokenizer, prompt, settings, session, outputs, window, clock } = work;
  const { signal, topLogprobs } = settings;
  const goesOn = ({ finishReason, ids }: Output) => !finishReason && ids.length < most;
  const running = () => [...outputs.keys()].filter((slot) => goesOn(outputs[slot]!));
  for (let live = running(); live.length > 0; live = running()) {
    clock.start();
    let rows: LogitRow[];
    if (outputs.length === 1) {
      rows = [await session.prefill(window(), signal)];
    } else if (outputs[0]!.ids.length === 0) {
      const first = await session.prefill(prompt, signal);
      const moves = live.slice(1).map((slot) => ({ from: 0, to: slot }));
      await session.copySlots(moves, signal);
      rows = live.map(() => first);
    } else {
      const last = live.map((slot) => ({ slot, token: outputs[slot]!.ids.at(-1)! }));
      rows = await session.decode(last, signal);
    }
    const tokens = live.map((slot, i) => {
      const id = sample(rows[i]!, settings, { prompt, generated: outputs[slot]!.ids }, slot);
      return outputs[slot]!.push(scored(id, rows[i]!, topLogprobs, tokenizer));
    });
    clock.stop(tokens.length);
    if (live[0] === 0) yield tokens[0]!;
  }
}

/** A bias that no logit makes up for; infinities are not for shaders. */
const excluded = -1e29;

/** Whether the backend can choose the tokens itself, in float32 and without a look at the logits in between. */
async function drawsOnDevice(session: Session, s: Settings): Promise<boolean> {
  // A word of one id is banned by a bias on it.
  const words = s.badWords.every((word) => word.length === 1);
  const plain = s.typicalP === 1 && s.noRepeatNgramSize === 0 && words && s.minNewTokens === 0;
  const sums = [...s.logitBias.values(), s.frequencyPenalty, s.presencePenalty];
  const factors = [s.repetitionPenalty, s.temperature || 1];
  const moderate = sums.every((x) => Math.abs(x) < 1e30) && factors.every((x) => x > 1e-30 && x < 1e30);
  if (!plain || !moderate || s.logitsProcessors.length > 0 || s.numReturnSequences > 1) return false;
  const limits = await session.drawLimits(s.signal);
  return limits !== undefined && s.topLogprobs <= limits.topLogprobs && s.eosTokenIds.length <= limits.ends;
}

/** The same for one sequence, its tokens drawn on the device. */
async function* draw(work: Work): AsyncGenerator<Token> {
  const { engine, tokenizer, prompt, settings, session, outputs, window, clock } = work;
  const [output] = outputs as [Output];
  const { signal, seed, eosTokenIds, forcedEosTokenIds, badWords, suppressTokens } = settings;
  const banned = [...badWords.flat().filter((id) => !eosTokenIds.includes(id)), ...suppressTokens];
  // The token that is forced to be the last is not drawn here.
  const most = settings.maxNewTokens - (forcedEosTokenIds.length > 0 ? 1 : 0);
  const drawing: DrawSettings = {
    ...settings,
    seed: [seed % 2 ** 32, Math.floor(seed / 2 ** 32)],
    sequence: 0,
    ends: eosTokenIds,
    logitBias: new Map([...settings.logitBias, ...banned.map((id) => [id, excluded] as const)]),
  };
  while (!output.finishReason && output.ids.length < most) {
    clock.start();
    if (!(await session.drawLimits(signal))) return;
    const text = window();
    const limit = Math.min(most - output.ids.length, engine.context - text.length + 1);
    const drawn = session.draw(text, { prompt, generated: output.ids }, limit, drawing, signal);
    for await (const { id, logprob, top } of drawn) {
      signal?.throwIfAborted();
      engine.alive();
      // Where no logit is a number, no id is drawn.
      if (Number.isNaN(logprob) || id >= tokenizer.vocabSize)
        throw broken(id < tokenizer.vocabSize ? id : 0, Number.NaN);
      const named = top.map((other) => ({ ...other, text: tokenizer.token(other.id) }));
      const token = output.push({ id, logprob, ...(settings.topLogprobs > 0 && { top: named }) });
      clock.stop(1);
      yield token;
      clock.start();
      if (output.finishReason) break;
    }
  }
}

/** Beam search: nothing is known of the best text until all is done. */
async function* search({ tokenizer, prompt, settings, session, outputs, clock }: Work, room: number) {
  const beams = await (await searching()).beamSearch(session, { prompt, settings, tokenizer, room, clock });
  const texts = beams.map(({ tokens, score }, i) => {
    outputs[i]!.score = score;
    return tokens.map((token) => outputs[i]!.push(token));
  });
  outputs.length = beams.length;
  yield* texts[0]!;
}
