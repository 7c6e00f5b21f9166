import { badCheckpoint } from '../plan/error.ts';
import { type Aligned, eachCharacter, type Put, rewrite } from './aligned.ts';

/**
 * SentencePiece's table of replacements (`precompiled_charsmap`): the size of a double-array trie, the trie over UTF-8 bytes, and the
 * replacements, each ended by a zero byte, to which the trie's values point.
 */
export class Charsmap {
  readonly #units: Uint32Array;
  readonly #replacements: Uint8Array;

  /** @throws VitrineError `bad-checkpoint` for a table that ends too early. `where` names it. */
  constructor(bytes: Uint8Array, where: string) {
    const size = bytes.length < 4 ? -1 : new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
    if (size < 0 || size % 4 !== 0 || size + 4 > bytes.length)
      throw badCheckpoint(`${where} has ${bytes.length} bytes, of which its trie would take ${size}.`);
    this.#units = new Uint32Array(bytes.slice(4, 4 + size).buffer);
    this.#replacements = bytes.subarray(4 + size);
  }

  /** The replacement of the shortest, or longest, beginning of `text` that has one, and the length of that in UTF-16 units. */
  find(text: string, longest: boolean): { content: string; length: number } | undefined {
    const units = this.#units;
    let found: { value: number; length: number } | undefined;
    let node = 0;
    if (units.length === 0) return undefined;
    node ^= offset(units[0]!);
    let at = 0;
    walk: while (at < text.length) {
      const code = text.codePointAt(at)!;
      at += code > 0xffff ? 2 : 1;
      for (const byte of utf8(code)) {
        if (byte === 0) break walk;
        node ^= byte;
        const unit = units[node];
        if (unit === undefined || (unit & 0x800000ff) !== byte) break walk;
        node ^= offset(unit);
        if ((unit >>> 8) & 1) found = { value: units[node]! & 0x7fffffff, length: at };
      }
      if (found && !longest) break;
    }
    if (found === undefined) return undefined;
    const end = this.#replacements.indexOf(0, found.value);
    const content = this.#replacements.subarray(found.value, end < 0 ? undefined : end);
    return { content: new TextDecoder('utf-8', { ignoreBOM: true }).decode(content), length: found.length };
  }
}

const offset = (unit: number) => (unit >>> 10) << ((unit & 512) >>> 6);

function utf8(code: number): number[] {
  if (code < 0x80) return [code];
  if (code < 0x800) return [0xc0 | (code >> 6), 0x80 | (code & 63)];
  if (code < 0x10000) return [0xe0 | (code >> 12), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63)];
  return [0xf0 | (code >> 18), 0x80 | ((code >> 12) & 63), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63)];
}

/** As SentencePiece itself reads its table: the longest beginning that has a replacement, from each place on. */
export function replaceLongest(source: Aligned, charsmap: Charsmap): Aligned {
  const { text } = source;
  const known = new Map<string, ReturnType<Charsmap['find']>>();
  return rewrite(source, (put) => {
    for (let i = 0; i < text.length; ) {
      const ahead = text.slice(i, i + 16);
      const found = known.get(ahead) ?? charsmap.find(ahead, true);
      known.set(ahead, found);
      const length = found?.length ?? (text.codePointAt(i)! > 0xffff ? 2 : 1);
      put(found?.content ?? text.slice(i, i + length), i);
      i += length;
    }
  });
}

/**
 * As Hugging Face's own tokenizers read it: graphemes of less than 6 bytes are looked up as a whole, by their shortest
 * beginning that has a replacement; all others character by character.
 */
export function replaceGraphemes(source: Aligned, charsmap: Charsmap): Aligned {
  const { text } = source;
  const replacement = remembered((part) => charsmap.find(part, false)?.content);
  return rewrite(source, (put) => {
    for (const { segment, index } of graphemes(text)) {
      const whole = byteLength(segment) < 6 ? replacement(segment) : undefined;
      if (whole !== undefined) putInPlace(put, segment, whole, index);
      else {
        eachCharacter(segment, (character, at) => {
          const content = replacement(character);
          if (content === undefined) put(character, index + at);
          else putInPlace(put, character, content, index + at);
        });
      }
    }
  });
}

/** Character by character in the place of the old ones; what is more stands where the last one did. */
function putInPlace(put: Put, old: string, content: string, index: number): void {
  const places: number[] = [];
  eachCharacter(old, (_, at) => void places.push(index + at));
  let i = 0;
  eachCharacter(content, (character) => put(character, places[Math.min(i++, places.length - 1)]!));
}

function remembered<Value>(find: (key: string) => Value): (key: string) => Value {
  const known = new Map<string, Value>();
  return (key) => {
    if (!known.has(key)) known.set(key, find(key));
    return known.get(key)!;
  };
}

function byteLength(text: string): number {
  let bytes = 0;
  for (const character of text) bytes += utf8(character.codePointAt(0)!).length;
  return bytes;
}

/** A character, and those after it that may be of its grapheme; most letters and all of ASCII begin one. */
const mayJoin =
  /\r\n|[\s\S][^\p{ASCII}\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\uac00-\ud7a3]*/gu;

/** What a reader takes for one character; code points where the platform cannot tell. */
function* graphemes(text: string): Generator<{ segment: string; index: number }> {
  const segmenter =
    typeof Intl.Segmenter === 'function' ? new Intl.Segmenter('en', { granularity: 'grapheme' }) : undefined;
  for (const { 0: stretch, index } of text.matchAll(mayJoin)) {
    const alone = stretch.length === 1 || stretch === '\r\n';
    const parts = alone ? [{ segment: stretch, index: 0 }] : (segmenter?.segment(stretch) ?? codePoints(stretch));
    for (const part of parts) yield { segment: part.segment, index: index + part.index };
  }
}

function codePoints(text: string): { segment: string; index: number }[] {
  const parts: { segment: string; index: number }[] = [];
  eachCharacter(text, (segment, index) => void parts.push({ segment, index }));
  return parts;
}
