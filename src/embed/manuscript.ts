/**
 * The text on the page, remembering who wrote what: the writer's words in stretches, the model's token by token.
 * Manuscripts are values: every function returns a new one.
 */
export interface Span {
  text: string;
  /** Absent: the writer's. `text` of a token may be empty while its character is unfinished. */
  token?: { id: number; logprob: number };
}

export type Manuscript = readonly Span[];

export function written(text: string): Manuscript {
  return text ? [{ text }] : [];
}

export function textOf(manuscript: Manuscript): string {
  return manuscript.map((span) => span.text).join('');
}

export function append(manuscript: Manuscript, token: { id: number; text: string; logprob: number }): Manuscript {
  return [...manuscript, { text: token.text, token: { id: token.id, logprob: token.logprob } }];
}

/** The first `length` characters; a token that is cut becomes the writer's. */
export function upTo(manuscript: Manuscript, length: number): Manuscript {
  return edit(manuscript, textOf(manuscript).slice(0, length));
}

/** The manuscript after its text was edited to `text`: a token that was touched becomes the writer's. */
export function edit(manuscript: Manuscript, text: string): Manuscript {
  const before = textOf(manuscript);
  const { head, tail } = shared(before, text);
  const first: Span[] = [];
  const last: Span[] = [];
  let start = 0;
  for (const span of manuscript) {
    const end = start + span.text.length;
    if (end <= head) first.push(span);
    else if (start >= before.length - tail) last.push(span);
    start = end;
  }
  const kept = textOf(first).length;
  const middle = text.slice(kept, text.length - textOf(last).length);
  return joined([...first, { text: middle }, ...last]);
}

/** How many characters stay at the beginning and at the end when a text becomes another. */
export function shared(before: string, after: string): { head: number; tail: number } {
  const shorter = Math.min(before.length, after.length);
  let head = 0;
  while (head < shorter && before[head] === after[head]) head++;
  let tail = 0;
  while (tail < shorter - head && before[before.length - 1 - tail] === after[after.length - 1 - tail]) tail++;
  return { head, tail };
}

/** Neighbouring stretches of the writer's become one. */
function joined(spans: Span[]): Manuscript {
  const result: Span[] = [];
  for (const span of spans) {
    const previous = result.at(-1);
    if (!span.token && !span.text) continue;
    if (previous && !previous.token && !span.token) result[result.length - 1] = { text: previous.text + span.text };
    else result.push(span);
  }
  return result;
}

export interface Segment {
  by: 'writer' | 'model';
  text: string;
  /** Index of the token that it is of, where tokens are given. */
  token?: number;
}

/** The text in pieces of one author and one token each. */
export function segments(manuscript: Manuscript, tokens: readonly { text: string }[]): Segment[] {
  const result: Segment[] = [];
  const authors = stretches(manuscript);
  let author = 0;
  let used = 0; // characters of the author's stretch
  for (const [token, { text }] of tokens.entries()) {
    for (let from = 0; from < text.length && authors[author]; ) {
      const stretch = authors[author]!;
      const count = Math.min(text.length - from, stretch.text.length - used);
      result.push({ by: stretch.by, text: text.slice(from, from + count), token });
      from += count;
      used += count;
      if (used < stretch.text.length) continue;
      author++;
      used = 0;
    }
  }
  return result;
}

/** Stretches of one author each, for drawing. */
export function stretches(manuscript: Manuscript): { by: 'writer' | 'model'; text: string }[] {
  const result: { by: 'writer' | 'model'; text: string }[] = [];
  for (const span of manuscript) {
    const by = span.token ? 'model' : 'writer';
    const previous = result.at(-1);
    if (previous?.by === by) previous.text += span.text;
    else result.push({ by, text: span.text });
  }
  return result;
}
