/** A tab of a browser that Playwright does not drive here: whatever is done in it is done by scripts of its page. */
export interface Tab {
  goto(url: string): Promise<void>;
  /** Runs a function in the page; it may use nothing but its arguments, which cross as JSON. */
  run<Args extends unknown[], Result>(
    work: (...args: Args) => Result | Promise<Result>,
    ...args: Args
  ): Promise<Result>;
  /** A PNG of what the window shows. */
  screenshot(): Promise<Uint8Array>;
  /** Ends the browser. */
  close(): Promise<void>;
}
