/**
 * A text made of another one, and where each of its UTF-16 units comes from: unit i stands for [from[base + i], to[base + i]) of the
 * original, the whole character. Both units of a pair of surrogates say the same.
 */
export interface Aligned {
  readonly text: string;
  readonly from: Int32Array;
  readonly to: Int32Array;
  /** Where its units begin in `from` and `to`, which those of its cuts share. */
  readonly base: number;
}

const isHigh = (unit: number) => (unit & 0xfc00) === 0xd800;

/** A text as it stands. It is well-formed. */
export function aligned(text: string): Aligned {
  const from = new Int32Array(text.length);
  const to = new Int32Array(text.length);
  for (let i = 0; i < text.length; i++) {
    from[i] = i;
    to[i] = i + 1;
    if (!isHigh(text.charCodeAt(i))) continue;
    to[i] = i + 2;
    from[++i] = i - 1;
    to[i] = i + 1;
  }
  return { text, from, to, base: 0 };
}

export function cut(source: Aligned, start: number, end: number): Aligned {
  const { text, from, to, base } = source;
  if (start === 0 && end === text.length) return source;
  return { text: text.slice(start, end), from, to, base: base + start };
}

/** Adds text that stands for what the unit at `at` of the source stands for; at -1, for nothing at the beginning. */
export type Put = (text: string, at: number) => void;

/** A text made anew: `write` is given the function that adds to it. */
export function rewrite(source: Aligned, write: (put: Put) => void): Aligned {
  let text = '';
  const from: number[] = [];
  const to: number[] = [];
  write((part, at) => {
    text += part;
    for (let i = 0; i < part.length; i++) {
      from.push(at < 0 ? 0 : source.from[source.base + at]!);
      to.push(at < 0 ? 0 : source.to[source.base + at]!);
    }
  });
  return { text, from: Int32Array.from(from), to: Int32Array.from(to), base: 0 };
}

/** Calls `visit` with each character and where it begins. */
export function eachCharacter(text: string, visit: (character: string, at: number) => void): void {
  for (let i = 0; i < text.length; ) {
    const length = isHigh(text.charCodeAt(i)) && i + 1 < text.length ? 2 : 1;
    visit(length === 1 ? text[i]! : text.slice(i, i + 2), i);
    i += length;
  }
}

/** The same text written in other units, as many, each of which stands for what the old one does. */
export const respelled = (source: Aligned, text: string): Aligned => ({ ...source, text });

/** The text with each character replaced by what `change` makes of it, which stands for the same. */
export function byCharacter(source: Aligned, change: (character: string) => string): Aligned {
  return rewrite(source, (put) => eachCharacter(source.text, (character, at) => put(change(character), at)));
}

/** The text with each match replaced. What is put in its place stands for the match's last character. */
export function replaceMatches(source: Aligned, pattern: RegExp, content: string): Aligned {
  const { text } = source;
  if (text.search(pattern) < 0) return source;
  if (content.length === 1) {
    const replaced = text.replace(pattern, content);
    if (replaced.length === text.length) return respelled(source, replaced);
  }
  return rewrite(source, (put) => {
    let done = 0;
    const keep = (end: number) => eachCharacter(text.slice(done, end), (character, at) => put(character, done + at));
    for (const match of text.matchAll(pattern)) {
      keep(match.index);
      done = match.index + match[0].length;
      put(content, done - 1);
    }
    keep(text.length);
  });
}

/** The text with something put before it that stands for its first character; nothing before no text. */
export function prepend(source: Aligned, content: string): Aligned {
  if (source.text === '') return source;
  return rewrite(source, (put) => {
    put(content, 0);
    eachCharacter(source.text, put);
  });
}
