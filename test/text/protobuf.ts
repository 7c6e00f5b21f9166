/** Writes messages of Protocol Buffers, as far as SentencePiece models need them. */

/** A field's bytes. */
export type Message = number[];

function varint(value: number): number[] {
  const bytes: number[] = [];
  for (; value >= 128; value = Math.floor(value / 128)) bytes.push((value % 128) + 128);
  return [...bytes, value];
}

export const number = (field: number, value: number): Message => [...varint(field * 8), ...varint(value)];

export const float = (field: number, value: number): Message => [
  ...varint(field * 8 + 5),
  ...new Uint8Array(Float32Array.of(value).buffer),
];

export function text(field: number, value: string | Uint8Array): Message {
  const bytes = typeof value === 'string' ? new TextEncoder().encode(value) : value;
  return [...varint(field * 8 + 2), ...varint(bytes.length), ...bytes];
}

export const message = (field: number, fields: Message[]): Message => text(field, Uint8Array.from(fields.flat()));

/** Kinds of pieces are 1 normal, 2 unknown, 3 control, 4 user-defined, 6 byte. */
export const piece = (content: string, score: number, kind = 1): Message =>
  message(1, [text(1, content), float(2, score), number(3, kind)]);

export const model = (...parts: Message[]): Uint8Array => Uint8Array.from(parts.flat());
