/** Bytes are kept as strings of one char (0 to 255) each: they can be hashed, sliced and joined. */

const utf8 = new TextEncoder();

/** UTF-8 bytes of `text`. */
export function binaryOfText(text: string): string {
  return /[\u0080-\uffff]/.test(text) ? binaryOfBytes(utf8.encode(text)) : text;
}

export function binaryOfBytes(bytes: ArrayLike<number>): string {
  let binary = '';
  for (let i = 0; i < bytes.length; i++) binary += String.fromCharCode(bytes[i]!);
  return binary;
}

export function bytesOfBinary(binary: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

const prints = (byte: number) => (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
const byteOfLetter = new Map<string, string>();
const letterOfByte: string[] = [];

// How vocabulary files spell bytes (GPT-2's `bytes_to_unicode`): as themselves if they print, else as U+0100 and up.
for (let byte = 0, other = 256; byte < 256; byte++) {
  const letter = String.fromCharCode(prints(byte) ? byte : other++);
  letterOfByte[byte] = letter;
  byteOfLetter.set(letter, String.fromCharCode(byte));
}

/** How vocabulary files spell bytes. */
export function lettersOfBinary(binary: string): string {
  return Array.from(binary, (char) => letterOfByte[char.charCodeAt(0)]).join('');
}

/** Bytes of a piece as vocabulary files spell it; one with other letters stands for its own text, as added tokens do. */
export function binaryOfLetters(letters: string): string {
  const bytes = Array.from(letters, (letter) => byteOfLetter.get(letter));
  return bytes.includes(undefined) ? binaryOfText(letters) : bytes.join('');
}
