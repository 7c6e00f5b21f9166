import { largest, shareOf } from '../../shares.ts';
import { type Reading, tokenText } from '../reading.ts';

/** What lessons find out about the running model, live. */

export async function likeliestToken(run: Reading, at: number): Promise<{ id: number; text: string; share: number }> {
  const logits = await run.logits(at);
  const [id = 0] = largest(logits, 1);
  return { id, text: await tokenText(run.model, id), share: shareOf(logits, id) };
}

export interface InductionHead {
  layer: number;
  head: number;
  /** Mean attention from a repeated token to what followed it the first time. */
  score: number;
  /** The same for a head that looks everywhere alike. */
  even: number;
  /** The position where the head does it most. */
  from: number;
}

/**
 * Heads by how much they look, from a token that was there before, at the token that came after it then (Olsson et al. 2022,
 * "In-context Learning and Induction Heads"). The best first; none for a text without repetition.
 */
export async function inductionHeads(run: Reading): Promise<InductionHead[]> {
  const { ids } = run;
  const pairs = ids.flatMap((id, from) => {
    const before = ids.lastIndexOf(id, from - 1);
    return from > 0 && before >= 0 && before + 1 < from ? [{ from, to: before + 1 }] : [];
  });
  if (pairs.length === 0) return [];
  const even = pairs.reduce((sum, { from }) => sum + 1 / (from + 1), 0) / pairs.length;
  const found: InductionHead[] = [];
  for (let layer = 0; layer < run.model.config.nLayer; layer++) {
    const { data, shape } = await run.tensor(`blocks.${layer}.attn.hook_pattern`);
    const [nHead = 0, length = 0] = shape;
    for (let head = 0; head < nHead; head++) {
      const looks = pairs.map(({ from, to }) => data[(head * length + from) * length + to]!);
      const score = looks.reduce((a, b) => a + b, 0) / looks.length;
      const { from } = pairs[looks.indexOf(Math.max(...looks))]!;
      found.push({ layer, head, score, even, from });
    }
  }
  return found.sort((a, b) => b.score - a.score);
}

/** The head without which the likeliest next token loses most of its probability, each knocked out in turn. */
export async function mostImportantHead(
  run: Reading,
  onProgress: (done: number, total: number) => void,
  signal: AbortSignal,
) {
  const { nLayer, nHead } = run.model.config;
  const at = run.ids.length - 1;
  const { id, text, share: before } = await likeliestToken(run, at);
  let found = { layer: 0, head: 0, after: Number.POSITIVE_INFINITY };
  for (let i = 0; i < nLayer * nHead; i++) {
    const [layer, head] = [Math.floor(i / nHead), i % nHead];
    const edits = [{ name: `blocks.${layer}.attn.hook_z`, head, scale: 0 }];
    const { logits } = await run.model.trace(run.ids, { edits, logits: [at], signal });
    const after = shareOf(logits.data, id);
    if (after < found.after) found = { layer, head, after };
    onProgress(i + 1, nLayer * nHead);
  }
  return { ...found, text, before };
}
