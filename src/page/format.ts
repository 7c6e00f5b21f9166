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

/** A token as it is read: spaces and line ends made visible. */
export function visible(text: string): string {
  return text.replaceAll(' ', '␣').replaceAll('\n', '↵').replaceAll('\t', '⇥') || '∅';
}
