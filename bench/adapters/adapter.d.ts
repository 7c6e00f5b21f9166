/** What a row of the table runs. */
export interface Row {
  /** Name of the file in bench/adapters. */
  adapter: string;
  /** URL or path of the model, in the peer's own format. */
  source: string;
  device: 'webgpu' | 'wasm' | 'cpu' | 'native';
  /** A Node process instead of a browser. */
  runtime?: 'node';
  /** The peer's own name of a weight format. */
  weights: string;
  threads: number;
  /** Run the whole text again for every token. */
  recompute?: boolean;
}

/** A peer that has loaded a model. */
export interface Peer {
  /** Its version and what it runs on. */
  about: string;
  /**
   * Reads a text that it has not seen before and continues it greedily by `count` tokens, past end-of-text too. Reports
   * each as it comes, by its id or its text, and returns how many there were.
   */
  generate(prompt: { ids: number[]; text: string }, count: number, onToken: OnToken): Promise<number>;
  close(): unknown;
}

export type OnToken = (token: number | string) => void;

export type Open = (row: Row) => Promise<Peer>;
