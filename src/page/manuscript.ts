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

/** All but what the model wrote last: what a permalink needs to write that again. */
export function promptOf(manuscript: Manuscript): string {
  return textOf(manuscript.slice(0, manuscript.findLastIndex((span) => !span.token && span.text) + 1));
}

export function append(manuscript: Manuscript, token: { id: number; text: string; logprob: number }): Manuscript {
  return [...manuscript, { text: token.text, token: { id: token.id, logprob: token.logprob } }];
}

/** The manuscript after its text was edited to `text`: a token that was touched becomes the writer's. */
export function edit(manuscript: Manuscript, text: string): Manuscript {
  const before = textOf(manuscript);
  const shorter = Math.min(before.length, text.length);
  let head = 0; // characters that stay at the beginning
  while (head < shorter && before[head] === text[head]) head++;
  let tail = 0; // and at the end
  while (tail < shorter - head && before[before.length - 1 - tail] === text[text.length - 1 - tail]) tail++;

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
