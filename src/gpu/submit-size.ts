import { PATIENT_MS } from './nudge.ts';

/** Most tokens of one submit. */
export const MOST_TOKENS = 16;
/** A submit should not hold up the stream, or a Stop, for longer. */
const SUBMIT_MS = 40;

/**
 * How many tokens a submit should hold, by what one more costs. A submit takes a time of its own besides, until its end is seen: in
 * Firefox up to 100 ms, in which a GPU could have made dozens. So what counts is by how much longer more tokens take.
 */
export class SubmitSize {
  readonly #submitMs: number;
  #tokens = 1;
  /** Of a submit, whatever it holds, in milliseconds. */
  #fixed = 0;
  #last: { tokens: number; ms: number } | undefined;

  constructor(submitMs = SUBMIT_MS) {
    this.#submitMs = submitMs;
  }

  /** Of the next submit. */
  get tokens(): number {
    return this.#tokens;
  }

  /** How long a submit may take before its answer seems late: twice as long as the last one took for as many tokens. */
  patienceFor(tokens: number): number {
    return Math.max(PATIENT_MS, 2 * (this.#last ? (this.#last.ms * tokens) / this.#last.tokens : 0));
  }

  /**
   * A submit was seen to end.
   * @param tokens of its own, and of the submits that it had to wait for
   * @param ms since it was submitted
   */
  ended(tokens: number, ms: number): void {
    const last = this.#last;
    if (last && last.tokens !== tokens) {
      const most = Math.min(ms / tokens, last.ms / last.tokens);
      const each = Math.max(0, Math.min((ms - last.ms) / (tokens - last.tokens), most));
      this.#fixed = ms - each * tokens;
    }
    this.#last = { tokens, ms };
    const each = Math.max((ms - this.#fixed) / tokens, 0.01);
    const affordable = Math.floor(this.#submitMs / each);
    this.#tokens = Math.max(1, Math.min(2 * this.#tokens, affordable, MOST_TOKENS));
  }
}
