/**
 * Watches streamed text for stop strings. Text is held back as long as it could be a stop string's beginning, so no
 * part of one is ever shown.
 */
export class StopStrings {
  readonly #stops: readonly string[];
  #held = '';
  /** A stop string was found: the text is over. */
  stopped = false;

  constructor(stops: readonly string[]) {
    this.#stops = stops;
  }

  /** What can be shown of the text so far, `text` added to it. */
  push(text: string): string {
    if (this.stopped) return '';
    const all = this.#held + text;
    const found = this.#stops.map((stop) => all.indexOf(stop)).filter((at) => at >= 0);
    this.stopped = found.length > 0;
    const end = this.stopped ? Math.min(...found) : all.length - this.#beginning(all);
    this.#held = this.stopped ? '' : all.slice(end);
    return all.slice(0, end);
  }

  /** What was held back, at the end of the text. */
  flush(): string {
    const rest = this.#held;
    this.#held = '';
    return rest;
  }

  /** Length of the longest end of `text` that begins a stop string. */
  #beginning(text: string): number {
    let longest = 0;
    for (const stop of this.#stops) {
      for (let n = Math.min(stop.length - 1, text.length); n > longest; n--) {
        if (text.endsWith(stop.slice(0, n))) longest = n;
      }
    }
    return longest;
  }
}
