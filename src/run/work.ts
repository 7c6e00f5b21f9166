import type { LogitRow } from '../plan/backend.ts';
import type { Tokenizer } from '../text/tokenizer.ts';
import type { Engine } from './engine.ts';
import type { SourceText } from './memory.ts';
import type { Settings } from './options.ts';
import type { Clock, Output } from './output.ts';
import type { Session } from './session.ts';

/** A text's place in runs that it shares with others. */
export interface Lane {
  /** The logits after some more ids. */
  advance(ids: readonly number[], signal: AbortSignal | undefined): Promise<LogitRow>;
  leave(): void;
}

/** One call of `generate`. */
export interface Generation {
  engine: Engine;
  tokenizer: Tokenizer;
  /** At least one id. */
  prompt: number[];
  /** What an encoder-decoder writes after. */
  source?: SourceText;
  /** The runs that it shares with others from the beginning. */
  runs?: { join(signal: AbortSignal | undefined): Promise<Lane> } | undefined;
  settings: Settings;
}

/** A generation under way. */
export interface Work extends Generation {
  session: Session;
  /** One for each sequence. */
  outputs: Output[];
  /** What of the first sequence's text is to be run by now. */
  window(): number[];
  clock: Clock;
  /** Ids of the prompt that needed no computing. */
  cached: number;
}
