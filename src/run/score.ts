import type { TokenScore } from '../plan/token-scores.ts';
import { checkOptions, integer, isSignal, refuse } from './check.ts';
import type { Engine } from './engine.ts';

export interface ScoreOptions {
  /** Tokens by which the window moves on where a text is longer than the context; half the context by default. */
  stride?: number;
  signal?: AbortSignal;
}

/** How the model takes each token of a text; null for the first one, which nothing predicts. In nats. */
export interface Score {
  ids: number[];
  /** Log-probability of each token, given those before it. */
  logprobs: (number | null)[];
  /** Its place among all tokens by probability, 1 the most likely; the lower id first among equals. */
  ranks: (number | null)[];
  /** Entropy of the distribution that it was one of. */
  entropies: (number | null)[];
  /** exp of the mean of -logprob; NaN if there is nothing to predict. */
  perplexity: number;
}

/**
 * A text past the context is scored in windows that move on by `stride`, each predicting only what the one before did
 * not, as Hugging Face's guide to the perplexity of fixed-length models has it.
 */
export async function score(engine: Engine, ids: number[], options: ScoreOptions = {}): Promise<Score> {
  checkOptions('score', options, { stride: integer(1), signal: isSignal });
  const { context } = engine;
  const { signal, stride = Math.max(1, Math.floor(context / 2)) } = options;
  // Else a window's first token would be predicted by nothing.
  if (stride >= context && stride > 1) throw refuse('stride', stride, `less than the context, ${context}`);
  signal?.throwIfAborted();
  const { judged, whole } = scoreOf(ids);
  await engine.lend(ids.slice(0, context), async (session) => {
    for (let begin = 0, end = 1; end < ids.length; begin += stride) {
      // A token and the one that it predicts, at least, though only the first is read.
      const window = ids.slice(begin, begin + Math.max(2, context));
      const from = Math.max(0, end - 1 - begin);
      const onScore = (position: number, score: TokenScore) => judged(begin + position + 1, score);
      // The last token predicts what is not there, or what the next window does.
      await session.read(window.slice(0, -1), { from, target: (position) => window[position + 1]!, onScore, signal });
      end = begin + window.length;
    }
  });
  return whole();
}

/** The score of a text whose tokens are judged one by one. */
export function scoreOf(ids: number[]) {
  const nulls = () => new Array<number | null>(ids.length).fill(null);
  const [logprobs, ranks, entropies] = [nulls(), nulls(), nulls()];
  return {
    judged(at: number, { logprob, rank, entropy }: TokenScore): void {
      logprobs[at] = logprob;
      ranks[at] = rank;
      entropies[at] = entropy;
    },
    whole: (): Score => ({ ids, logprobs, ranks, entropies, perplexity: perplexityOf(logprobs) }),
  };
}

function perplexityOf(logprobs: readonly (number | null)[]): number {
  const known = logprobs.filter((logprob) => logprob !== null);
  return Math.exp(-known.reduce((a, b) => a + b, 0) / known.length);
}
