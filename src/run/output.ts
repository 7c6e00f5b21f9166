import type { LogitRow } from '../plan/backend.ts';
import type { Tokenizer } from '../text/tokenizer.ts';
import { logSumExp } from './log-sum-exp.ts';
import type { Settings } from './options.ts';
import { best } from './sampling.ts';
import { StopStrings } from './stop.ts';

/**
 * Why a text ended: a stop string, `maxNewTokens`, an end-of-text token, the end of the context, or because the caller
 * left the generator early (`return()`, as leaving a `for await` loop calls it).
 */
export type FinishReason = 'stop' | 'length' | 'eos' | 'abort' | 'context';

export interface TopToken {
  id: number;
  text: string;
  logprob: number;
}

export interface Token {
  id: number;
  /**
   * What the token adds to the text: bytes of an unfinished character, and what may be a stop string's beginning, wait
   * for a later token. All texts joined are the completion's.
   */
  text: string;
  /** Natural logarithm of the model's own probability of the token: log-softmax of the logits before any option. */
  logprob: number;
  /** Among the generated tokens, from 0. */
  index: number;
  /** The `topLogprobs` most likely tokens by the model's own probability, best first. */
  top?: TopToken[];
}

/** A generated text. */
export interface Sequence {
  /** Without the end-of-text token and the stop string that ended it. */
  text: string;
  /** All generated ids, the end-of-text token's too. */
  ids: number[];
  /** As in `Token`. */
  logprobs: number[];
  top?: TopToken[][];
  finishReason: FinishReason;
  /** Of a beam search: log-probability / length ** lengthPenalty. */
  score?: number;
}

export interface Completion extends Sequence {
  /**
   * Tokens: of the prompt, generated (in all sequences), of the prompt's beginning that needed no computing, and with
   * `speculate` those of accepted drafts.
   */
  usage: { prompt: number; completion: number; cached: number; accepted?: number };
  /**
   * Milliseconds of the prompt and of all tokens after the first; the time between two calls of a generator's `next()`
   * does not count. `tokensPerSecond` is that of the second part, 0 if there is none.
   */
  timing: { prefillMs: number; decodeMs: number; tokensPerSecond: number };
  /** The seed used; with it, the same call gives the same completion. */
  seed: number;
  /** All of them, best first, if there are several. The completion itself is the first. */
  sequences?: Sequence[];
}

/** What a model says of a token at its place. */
export interface Scored {
  id: number;
  logprob: number;
  top?: TopToken[];
}

export function scored(id: number, row: LogitRow, topLogprobs: number, tokenizer: Tokenizer): Scored {
  const { logits, total = logSumExp(logits) } = row;
  const logprob = logits[id]! - total;
  if (topLogprobs === 0) return { id, logprob };
  const named = (other: number) => ({ id: other, text: tokenizer.token(other), logprob: logits[other]! - total });
  return { id, logprob, top: best(logits, topLogprobs).map(named) };
}

/** A text that grows by tokens until one ends it. */
export class Output {
  readonly ids: number[] = [];
  finishReason: FinishReason | undefined;
  score: number | undefined;
  /** Tokens that were drafted, run together and kept. */
  accepted = 0;
  readonly #settings: Settings;
  /** Tokens until the context is full. */
  readonly #room: number;
  readonly #stream: ReturnType<Tokenizer['stream']>;
  readonly #stops: StopStrings;
  readonly #tokens: Token[] = [];

  /** @param within the tokens go on with a prompt's text */
  constructor(settings: Settings, tokenizer: Tokenizer, room: number, within: boolean) {
    this.#settings = settings;
    this.#room = room;
    this.#stream = tokenizer.stream({ within });
    this.#stops = new StopStrings(settings.stop);
  }

  push({ id, logprob, top }: Scored): Token {
    this.ids.push(id);
    const { eosTokenIds, maxNewTokens } = this.#settings;
    const ends = eosTokenIds.includes(id);
    let text = ends ? '' : this.#stops.push(this.#stream.push(id));
    if (ends) this.finishReason = 'eos';
    else if (this.#stops.stopped) this.finishReason = 'stop';
    else if (this.ids.length >= maxNewTokens) this.finishReason = 'length';
    else if (this.ids.length >= this.#room) this.finishReason = 'context';
    if (this.finishReason) text += this.#rest();
    const token: Token = { id, text, logprob, index: this.ids.length - 1, ...(top && { top }) };
    this.#tokens.push(token);
    return token;
  }

  /** The text as it is, ended by `abort` if it has not ended itself. */
  sequence(): Sequence {
    const tokens = this.#tokens;
    const text = tokens.map((token) => token.text).join('') + (this.finishReason ? '' : this.#rest());
    const finishReason = (this.finishReason ??= 'abort');
    return {
      text,
      ids: this.ids,
      logprobs: tokens.map((token) => token.logprob),
      ...(this.#settings.topLogprobs > 0 && { top: tokens.map((token) => token.top!) }),
      finishReason,
      ...(this.score !== undefined && { score: this.score }),
    };
  }

  /** What waited for tokens that will not come. */
  #rest(): string {
    if (this.#stops.stopped) return '';
    const rest = this.#stops.push(this.#stream.flush());
    if (this.#stops.stopped) this.finishReason = 'stop';
    return rest + this.#stops.flush();
  }
}

/** Times the computing, not what the caller does between tokens. */
export class Clock {
  prefillMs = 0;
  decodeMs = 0;
  /** Tokens after each sequence's first. */
  decoded = 0;
  #since = 0;
  #steps = 0;

  start(): void {
    this.#since = performance.now();
  }

  /** Ends a step that gave `tokens`; the first step is the prompt's. */
  stop(tokens: number): void {
    const ms = performance.now() - this.#since;
    if (this.#steps++ === 0) this.prefillMs = ms;
    else {
      this.decodeMs += ms;
      this.decoded += tokens;
    }
  }
}

/** The completion that outputs, best first, make. */
export function completionOf(
  outputs: Output[],
  { prompt, settings, cached, clock }: { prompt: number; settings: Settings; cached: number; clock: Clock },
): Completion {
  const { prefillMs, decodeMs, decoded } = clock;
  const sequences = outputs.map((output) => output.sequence());
  const completion = sequences.reduce((sum, { ids }) => sum + ids.length, 0);
  return {
    ...sequences[0]!,
    usage: { prompt, completion, cached, ...(settings.speculate && { accepted: outputs[0]!.accepted }) },
    timing: { prefillMs, decodeMs, tokensPerSecond: decodeMs > 0 ? (decoded * 1000) / decodeMs : 0 },
    seed: settings.seed,
    ...(settings.numReturnSequences > 1 && { sequences }),
  };
}
