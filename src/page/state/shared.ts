import type { Branch, Document } from './document.ts';

/** A document's branches as a link has them: [parent, at, spans], a span being [text] or [text, token's id, its log-probability]. */

type Spelled = [parent: number, at: number, spans: [string, number?, number?][]];

/** Undefined where the text went one way alone: its prompt says all. */
export function spelledBranches({ branches, shown }: Document): string | undefined {
  if (branches.length < 2) return undefined;
  const placeOf = (id: number | undefined) => branches.findIndex((one) => one.id === id);
  const round = (value: number) => Math.round(value * 1e4) / 1e4;
  const spelled = branches.map(({ parent, at, manuscript }): Spelled => {
    const spans = manuscript.map(({ text, token }): Spelled[2][number] =>
      token ? [text, token.id, round(token.logprob)] : [text],
    );
    return [placeOf(parent), at, spans];
  });
  return JSON.stringify([placeOf(shown), ...spelled]);
}

/** What `spelledBranches` wrote; undefined for anything else, as a link comes from anywhere. */
export function branchesIn(text: string): Document | undefined {
  try {
    const [shown, ...spelled] = JSON.parse(text) as [number, ...Spelled[]];
    const branches = spelled.map(([parent, at, spans], id): Branch => {
      // A branch leaves one that was there before it, so there are no circles.
      const isRooted = id === 0 ? parent === -1 : isCount(parent) && parent < id;
      if (!isRooted || !isCount(at) || !spans.every(isSpan)) throw new TypeError('no branch');
      const manuscript = spans.map(([text, token, logprob]) =>
        token === undefined ? { text } : { text, token: { id: token, logprob: logprob! } },
      );
      return { id, parent: parent < 0 ? undefined : parent, at, manuscript };
    });
    return branches.some(({ id }) => id === shown) ? { branches, shown, run: undefined, change: 'other' } : undefined;
  } catch {
    return undefined;
  }
}

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;

function isSpan([text, token, logprob]: readonly unknown[]): boolean {
  const isTokens = token === undefined ? logprob === undefined : isCount(token) && Number.isFinite(logprob);
  return typeof text === 'string' && isTokens;
}
