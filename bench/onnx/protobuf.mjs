// The little of protobuf that an ONNX file needs: https://protobuf.dev/programming-guides/encoding/

/** Variable-length encoding of a non-negative integer. */
function varint(value) {
  const bytes = [];
  for (let rest = BigInt(value); ; rest >>= 7n) {
    if (rest < 128n) return Uint8Array.from([...bytes, Number(rest)]);
    bytes.push(Number(rest & 127n) | 128);
  }
}

const tag = (field, wire) => varint((field << 3) | wire);

/** A field holding an integer (negative ones as 64-bit two's complement). */
export const int = (field, value) => [tag(field, 0), varint(BigInt.asUintN(64, BigInt(value)))];
export const float = (field, value) => [tag(field, 5), new Uint8Array(Float32Array.of(value).buffer)];
/** A field holding bytes, a string, or the parts of a message. */
export function bytes(field, value) {
  if (typeof value === 'string') return bytes(field, new TextEncoder().encode(value));
  const parts = ArrayBuffer.isView(value) ? [value] : value.flat(Number.POSITIVE_INFINITY);
  return [tag(field, 2), varint(parts.reduce((sum, part) => sum + part.byteLength, 0)), ...parts];
}
