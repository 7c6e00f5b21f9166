import type { LogitRow } from '../plan/backend.ts';
import { scored, type Token } from './output.ts';
import { sample } from './sampling.ts';
import type { Work } from './work.ts';

/**
 * What followed the text's last words when they occurred before: the latest earlier place that ends in the same `ngram`
 * ids (or as many as there are), and the ids after it, `most` at most. Prompt lookup decoding, Saxena 2023.
 */
export function draftOf(ids: readonly number[], ngram: number, most: number): number[] {
  for (let n = Math.min(ngram, ids.length - 1); n > 0 && most > 0; n--) {
    for (let end = ids.length - 1; end >= n; end--) {
      let same = 0;
      while (same < n && ids[end - 1 - same] === ids[ids.length - 1 - same]) same++;
      if (same === n) return ids.slice(end, end + most);
    }
  }
  return [];
}

/**
 * Decoding by drafts from the text itself: a draft's tokens are run together with the last one, and each is kept as long as
 * it is what sampling would have drawn there. The text is the same as without; only the runs are fewer.
 */
export async function* speculate(work: Work): AsyncGenerator<Token> {
  const { engine, tokenizer, prompt, settings, session, outputs, clock } = work;
  const output = outputs[0]!;
  const { signal, topLogprobs, maxNewTokens } = settings;
  const { ngram, draft } = settings.speculate!;
  while (!output.finishReason) {
    clock.start();
    const text = [...prompt, ...output.ids];
    const most = Math.min(draft, engine.context - text.length, maxNewTokens - output.ids.length - 1);
    const drafted = draftOf(text, ngram, most);
    const rows: LogitRow[] = [];
    const reading = { from: text.length - 1, onLogits: (_: number, row: LogitRow) => rows.push(row), signal };
    await session.read([...text, ...drafted], reading);
    const tokens: Token[] = [];
    for (const [i, row] of rows.entries()) {
      const id = sample(row, settings, { prompt, generated: output.ids }, 0);
      tokens.push(output.push(scored(id, row, topLogprobs, tokenizer)));
      if (output.finishReason || id !== drafted[i]) break;
      output.accepted++;
    }
    clock.stop(tokens.length);
    yield* tokens;
  }
}
