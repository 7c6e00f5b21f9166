/** How the page writes numbers and tokens. */

/** `0.0123`, `-4.56`, `1.2e-7`: three digits that matter, in as little room as that takes. */
export function shortNumber(value: number): string {
  if (value === 0 || !Number.isFinite(value)) return String(value).replace('Infinity', '∞').replace('-', '−');
  const size = Math.abs(value);
  const text = size < 1e-4 || size >= 1e5 ? value.toExponential(1) : value.toPrecision(3);
  return text.replace('-', '−').replace('e−', 'e−');
}

/** `12.3 %`, `< 0.01 %` */
export function percent(share: number): string {
  if (share > 0 && share < 1e-4) return '< 0.01 %';
  return `${(100 * share).toFixed(share < 0.01 ? 2 : 1)} %`;
}

/** What leaves no mark of its own: control and format characters, as those of zero width, and spaces that are not the common one. */
const unseen = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]|(?! )\p{Zs}/gu;

/** A token as it is read: spaces, line ends and what has no width made visible; ∅ for one that adds nothing to the text. */
export function visible(text: string): string {
  const marked = text.replaceAll(' ', '␣').replaceAll('\n', '↵').replaceAll('\t', '⇥');
  const codeOf = (character: string) => character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0');
  return marked.replace(unseen, (character) => `⟨U+${codeOf(character)}⟩`) || '∅';
}
