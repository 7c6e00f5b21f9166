import { shared } from '../embed/manuscript.ts';

/** How the page writes numbers and tokens. */

/** `0.0123`, `-4.56`, `1.2e-7`: three digits that matter, in as little room as that takes. */
export function shortNumber(value: number): string {
  if (value === 0 || !Number.isFinite(value)) return String(value).replace('Infinity', '∞').replace('-', '−');
  const size = Math.abs(value);
  const text = size < 1e-4 || size >= 1e5 ? value.toExponential(1) : value.toPrecision(3);
  return text.replace('-', '−').replace('e−', 'e−');
}

/** `0.02`, `−1.50`: so many digits behind the point, and no zero below zero. */
export function fixed(value: number, digits: number): string {
  return value
    .toFixed(digits)
    .replace(/^-(?=[0.]*$)/, '')
    .replace('-', '−');
}

/** `12.3 %`, `< 0.01 %` */
export function percent(share: number): string {
  if (share > 0 && share < 1e-4) return '< 0.01 %';
  return `${(100 * share).toFixed(share < 0.01 ? 2 : 1)} %`;
}

/** What leaves no mark of its own: control characters, all that is made to be ignored, and spaces that are not the common one. */
const unseen = /[\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}\p{Zl}\p{Zp}\u2800]|(?! )\p{Zs}/gu;

const codeOf = (character: string) => character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0');

/** A text with what has no width made visible; a mark that would stand on what is before the text has a ring to stand on. */
export function unhidden(text: string): string {
  return text.replace(unseen, (character) => `⟨U+${codeOf(character)}⟩`).replace(/^\p{M}/u, '◌$&');
}

/** A token as it is read: spaces, line ends and what has no width made visible; ∅ for one that adds nothing to the text. */
export function visible(text: string): string {
  const marked = text.replaceAll(' ', '␣').replaceAll('\n', '↵').replaceAll('\t', '⇥');
  return unhidden(marked) || '∅';
}

/** A text in a field of one line: its line ends as their signs. */
export const inLine = (text: string) => text.replaceAll('\n', '↵');

/** What a text became in a field of one line: such a sign is a line end, but where it stood in the text as it is. */
export function typedInLine(before: string, now: string): string {
  const { head, tail } = shared(inLine(before), now);
  const middle = now.slice(head, now.length - tail).replaceAll('↵', '\n');
  return before.slice(0, head) + middle + before.slice(before.length - tail);
}

/** A token as it is read out: as it stands, where there is something to read. */
export function spoken(text: string): string {
  return text.trim() === '' || unhidden(text) !== text ? visible(text) : text;
}
