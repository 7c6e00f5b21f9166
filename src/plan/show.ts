/** A JSON value as a message shows it, cut to a readable length. Numbers that JSON has no word for are JavaScript's. */
export function show(value: unknown): string {
  if (value === undefined) return 'missing';
  if (typeof value === 'number') return String(value);
  const plain = (_: string, part: unknown) => (typeof part === 'number' && !Number.isFinite(part) ? `${part}` : part);
  const text = JSON.stringify(value, plain) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
