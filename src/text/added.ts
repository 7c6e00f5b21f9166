import { type Aligned, cut } from './aligned.ts';
import { bad, check, type Json, list, object, string } from './json.ts';
import { literally } from './literally.ts';

/** A token that is found in a text as a whole, before the rest is cut. */
export interface AddedToken {
  content: string;
  id: number;
  /** Stands for no text of its own: what the model expects around a text, a mask. */
  special: boolean;
  /** Is looked for in the normalized text, where it is normalized too, or `spelled` as it is. */
  normalized: boolean;
  spelled: boolean;
  /** Takes the white space before or behind it. */
  lstrip: boolean;
  rstrip: boolean;
  /** Is found only at the beginning of a text. */
  begins: boolean;
  /** Is found only where no letter touches it. */
  singleWord: boolean;
}

export function readAddedTokens(json: unknown, where: string): AddedToken[] {
  return list(json ?? [], where).map((entry, i) => {
    const name = `${where}[${i}]`;
    const token = object(entry, name);
    return readAddedToken(token, token.id, name);
  });
}

export function readAddedToken(token: Json, id: unknown, where: string): AddedToken {
  const { content, special = false, lstrip = false, rstrip = false, single_word = false } = token;
  const { normalized = special !== true, begins, spelled } = token;
  if (content === undefined || content === '') throw bad(`${where} has no content.`);
  const flags = { special, lstrip, rstrip, single_word, normalized };
  for (const [name, flag] of Object.entries(flags)) check(`${where}.${name}`, flag, true, false);
  const plain = { content: string(content, `${where}.content`), id: id as number };
  return {
    ...plain,
    special: special === true,
    normalized: normalized === true,
    lstrip: lstrip === true,
    rstrip: rstrip === true,
    singleWord: single_word === true,
    begins: begins === true,
    spelled: spelled === true,
  };
}

/** A part of a text: an added token, or what is between them. */
export type Section = { text: Aligned; token: AddedToken | undefined };

const letterAtEnd = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]$/u;
const letterAtStart = /^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]/u;

/** Finds tokens in a text: from the left on, of several at one place the longest. */
export function sectioner(tokens: readonly AddedToken[]): (source: Aligned) => Section[] {
  if (tokens.length === 0) return (text) => [{ text, token: undefined }];
  const byContent = new Map(tokens.map((token) => [token.content, token]));
  const literals = [...byContent.keys()].sort((a, b) => b.length - a.length).map((content) => literally(content));
  const pattern = new RegExp(literals.join('|'), 'gu');
  return (source) => {
    const { text } = source;
    const sections: Section[] = [];
    let done = 0;
    for (const { 0: content, index } of text.matchAll(pattern)) {
      const token = byContent.get(content)!;
      let [start, end] = [index, index + content.length];
      const touched = () =>
        letterAtEnd.test(text.slice(Math.max(start - 2, 0), start)) || letterAtStart.test(text.slice(end, end + 2));
      if ((token.singleWord && touched()) || (token.begins && source.from[source.base + start]! > 0)) continue;
      while (token.lstrip && start > done && /\p{White_Space}/u.test(text[start - 1]!)) start--;
      while (token.rstrip && end < text.length && /\p{White_Space}/u.test(text[end]!)) end++;
      if (start > done) sections.push({ text: cut(source, done, start), token: undefined });
      sections.push({ text: cut(source, start, end), token });
      done = end;
    }
    if (done < text.length) sections.push({ text: cut(source, done, text.length), token: undefined });
    return sections;
  };
}
