import { type Aligned, byCharacter, eachCharacter, respelled, rewrite } from './aligned.ts';

export type UnicodeForm = 'NFC' | 'NFD' | 'NFKC' | 'NFKD';

/** What may join the character before it: marks, and the vowels and finals of Korean syllables. */
const joins = /^[\p{M}\u1160-\u11ff]/u;

/**
 * A Unicode normalization form. A character that falls apart shares its place among its parts; one that takes others in stands where the
 * first of them stood, as in Hugging Face's own tokenizers.
 */
export function inForm(source: Aligned, form: UnicodeForm): Aligned {
  const { text } = source;
  if (text.normalize(form) === text) return source;
  const whole = form.endsWith('KC') || form.endsWith('KD') ? 'NFKD' : 'NFD';
  return rewrite(source, (put) => {
    let group: string[] = []; // a base and what joins it, which no other group touches
    let begins: number[] = [];
    const close = () => {
      alignGroup(group, form, whole, (character, k) => put(character, k < 0 ? (begins[0] ?? 0) - 1 : begins[k]!));
      group = [];
      begins = [];
    };
    eachCharacter(text, (character, at) => {
      if (group.length > 0 && !joins.test(character.normalize(whole))) close();
      group.push(character);
      begins.push(at);
    });
    close();
  });
}

/** `put`: a character of the result, and that of the group whose place it takes. */
function alignGroup(
  group: readonly string[],
  form: UnicodeForm,
  whole: 'NFD' | 'NFKD',
  put: (character: string, k: number) => void,
): void {
  const joined = group.join('');
  const result = Array.from(joined.normalize(form));
  if (group.length === 1) {
    for (const character of result) put(character, 0);
    return;
  }
  // The parts before they are sorted: the first of a character replaces it, the others are new.
  const changes = new Map<string, { list: number[]; next: number }>();
  for (const character of group) {
    for (const [i, part] of Array.from(character.normalize(whole)).entries()) {
      const queue = changes.get(part) ?? { list: [], next: 0 };
      changes.set(part, queue);
      queue.list.push(i === 0 ? 0 : 1);
    }
  }
  let at = 0;
  for (const character of result) {
    let change = 1;
    for (const wanted of form.endsWith('C') ? character.normalize('NFD') : [character]) {
      const queue = changes.get(wanted);
      change += (queue?.list[queue.next++] ?? 0) - 1;
    }
    put(character, change > 0 ? at - 1 : Math.min(at, group.length - 1));
    if (change <= 0) at += 1 - change;
  }
}

const keepsBy = (removed: RegExp) => (source: Aligned) =>
  source.text.search(removed) < 0
    ? source
    : byCharacter(source, (character) => (removed.test(character) ? '' : character));

/** Lower case of each character by itself: that of a capital sigma does not depend on its place. */
export function lowerCase(source: Aligned): Aligned {
  const { text } = source;
  const lower = text.toLowerCase();
  if (lower === text) return source;
  // No character becomes shorter, so none did longer where the length is the same.
  if (lower.length === text.length && !text.includes('\u03a3')) return respelled(source, lower);
  return byCharacter(source, (character) => character.toLowerCase());
}

/** Takes all marks out. */
export const withoutMarks = keepsBy(/\p{M}/u);
/** Marks that Hugging Face's own tokenizers do not know, whose tables are of Unicode 8; so it is with punctuation below. */
const younger = String.raw`\u07fd\u0897-\u089f\u08ca-\u08e1\u09fe\u0afa-\u0aff\u0b55\u0c04\u0c3c\u0d00\u0d3b-\u0d3c\u0d81\u0eba\u0ece\u180f\u1885-\u1886\u1abf-\u1add\u1ae0-\u1aeb\u1df6-\u1dfb\ua82c\ua8c5\ua8ff\ua9bd`;
/** Takes the marks out that need no room of their own. */
export const withoutAccents = keepsBy(new RegExp(`(?![${younger}])\\p{Mn}`, 'u'));
/** What BERT takes out: control characters but tabs and line ends, private ones, U+FFFD. */
export const withoutControls = keepsBy(/(?![\t\n\r\u0890\u0891\u08e2])[\p{Cc}\p{Cf}\p{Co}\ufffd]/u);
/** What BERT takes for punctuation. */
export const punctuation =
  /(?![\u061d\u09fd\u0a76\u0c77\u0c84\u1b4e-\u1b4f\u1b7d-\u1b7f\u2e43-\u2e4f\u2e52-\u2e5d\u{10d6e}\u{10ead}\u{10f55}-\u{10f59}\u{10f86}-\u{10f89}\u{1144b}-\u{1144f}\u{1145a}-\u{1145b}\u{1145d}\u{11660}-\u{1166c}\u{1e95e}-\u{1e95f}])[\p{P}$+<=>^`|~\u166d]/gu;
