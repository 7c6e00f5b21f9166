import type { Sequence } from '../../index.ts';

interface BeamToken {
  id: number;
  text: string;
  /** The model's own, at its place in its text. */
  logprob: number;
}

/** A stretch that some texts share until they part. */
export interface Branch {
  tokens: BeamToken[];
  children: Branch[];
  /** Of a text that ends here. */
  score?: number;
  /** The best text runs through it. */
  best: boolean;
}

/** Texts, best first, as a tree of their tokens. */
export function treeOf(
  sequences: readonly Pick<Sequence, 'ids' | 'logprobs' | 'score'>[],
  textOf: (id: number) => string,
): Branch[] {
  const root: Branch = { tokens: [], children: [], best: true };
  for (const [place, { ids, logprobs, score }] of sequences.entries()) {
    let at = root;
    for (const [i, id] of ids.entries()) {
      let next = at.children.find(({ tokens }) => tokens[0]!.id === id);
      if (!next) {
        next = { tokens: [{ id, text: textOf(id), logprob: logprobs[i]! }], children: [], best: place === 0 };
        at.children.push(next);
      }
      at = next;
    }
    at.score ??= score ?? logprobs.reduce((a, b) => a + b, 0);
  }
  return root.children.map(joined);
}

/** Where there is one way on, it is one branch. */
function joined(branch: Branch): Branch {
  const [only, ...more] = branch.children;
  if (!only || more.length > 0 || branch.score !== undefined) {
    return { ...branch, children: branch.children.map(joined) };
  }
  return joined({ ...only, tokens: [...branch.tokens, ...only.tokens] });
}
