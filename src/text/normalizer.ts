import { type Aligned, byCharacter, cut, prepend, replaceMatches, respelled } from './aligned.ts';
import { binaryOfText, lettersOfBinary } from './bytes.ts';
import { Charsmap, replaceGraphemes, replaceLongest } from './charsmap.ts';
import { metaspace } from './decoder.ts';
import { bad, check, type Json, list, object, refuse, string } from './json.ts';
import type { Compile } from './pattern.ts';
import type { SentencePieces } from './sentencepiece.ts';
import { inForm, lowerCase, type UnicodeForm, withoutAccents, withoutControls, withoutMarks } from './unicode.ts';

export type Normalizer = (source: Aligned) => Aligned;

/** A normalizer as tokenizer.json describes it. `where` names it in messages. */
export function normalizerOf(json: unknown, where: string, compile: Compile): Normalizer {
  if (json == null) return (source) => source;
  const fields = object(json, where);
  switch (fields.type) {
    case 'Sequence': {
      const parts = list(fields.normalizers, `${where}.normalizers`).map((part, i) =>
        normalizerOf(part, `${where}.normalizers[${i}]`, compile),
      );
      return (source) => parts.reduce((text, normalize) => normalize(text), source);
    }
    case 'BertNormalizer':
      return bertNormalizer(fields, where);
    case 'Lowercase':
      return lowerCase;
    case 'StripAccents':
      return withoutMarks;
    case 'NFC':
    case 'NFD':
    case 'NFKC':
    case 'NFKD':
      return (source) => inForm(source, fields.type as UnicodeForm);
    case 'Nmt':
      return nmt;
    case 'Prepend': {
      const content = string(fields.prepend, `${where}.prepend`);
      return (source) => prepend(source, content);
    }
    case 'Replace': {
      const pattern = compile(fields.pattern, `${where}.pattern`);
      const content = string(fields.content, `${where}.content`);
      return (source) => replaceMatches(source, pattern, content);
    }
    case 'Strip':
      return (source) => strip(source, fields.strip_left === true, fields.strip_right === true);
    case 'ByteLevel':
      return byteLetters;
    case 'SentencePiece':
      return sentencePiece(fields, `${where}.charsmap`);
    case 'Precompiled':
      return precompiled(fields, where);
    default:
      throw refuse(`${where}.type`, fields.type, 'a normalizer that Vitrine knows');
  }
}

/** Each byte of the UTF-8 as a letter, as vocabularies of bytes are spelled; all those of a character stand for it. */
export function byteLetters(source: Aligned): Aligned {
  if (/^[ -~]*$/.test(source.text)) return respelled(source, source.text.replaceAll(' ', '\u0120'));
  return byCharacter(source, (character) => lettersOfBinary(binaryOfText(character)));
}

const ideograph =
  /[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u{20000}-\u{2a6df}\u{2a700}-\u{2b81f}\u{2b920}-\u{2ceaf}\u{2f800}-\u{2fa1f}]/u;

function bertNormalizer(fields: Json, where: string): Normalizer {
  const { clean_text = true, handle_chinese_chars = true, strip_accents = null, lowercase = true } = fields;
  const flags = { clean_text, handle_chinese_chars, lowercase };
  for (const [name, flag] of Object.entries(flags)) check(`${where}.${name}`, flag, true, false);
  check(`${where}.strip_accents`, strip_accents, true, false, null);
  const steps: Normalizer[] = [];
  if (clean_text) {
    steps.push(withoutControls, (source) => replaceMatches(source, /[^\P{White_Space} ]/gu, ' '));
  }
  if (handle_chinese_chars) {
    const spaced = (character: string) => (ideograph.test(character) ? ` ${character} ` : character);
    steps.push((source) => (ideograph.test(source.text) ? byCharacter(source, spaced) : source));
  }
  if (strip_accents ?? lowercase) steps.push((source) => withoutAccents(inForm(source, 'NFD')));
  if (lowercase) steps.push(lowerCase);
  return (source) => steps.reduce((text, normalize) => normalize(text), source);
}

function strip(source: Aligned, left: boolean, right: boolean): Aligned {
  const { text } = source;
  const start = left ? text.search(/\P{White_Space}|$/u) : 0;
  let end = text.length;
  while (right && end > start && /\p{White_Space}/u.test(text[end - 1]!)) end--;
  return cut(source, start, end);
}

/** What the tokenizers of translation models take out and what they take for a space. */
function nmt(source: Aligned): Aligned {
  return byCharacter(source, (character) => {
    if (/(?![\t\n\f\r])[\p{ASCII}\u008f\u009f]/u.test(character) && /[^\P{Cc}\0]/u.test(character)) return '';
    return /[\t\n\f\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]/.test(character) ? ' ' : character;
  });
}

function precompiled(fields: Json, where: string): Normalizer {
  const { precompiled_charsmap: map } = fields;
  const name = `${where}.precompiled_charsmap`;
  if (map === null || map === '') return (source) => source;
  const charsmap = new Charsmap(bytesOfBase64(string(map, name), name), name);
  return (source) => replaceGraphemes(source, charsmap);
}

/** What SentencePiece itself does; `fields` is its model. */
function sentencePiece(fields: Json, where: string): Normalizer {
  const { charsmap: bytes, removesSpaces, addsPrefix } = fields as unknown as SentencePieces;
  const charsmap = bytes.length > 0 ? new Charsmap(bytes, where) : undefined;
  return (source) => {
    let text = charsmap ? replaceLongest(source, charsmap) : source;
    if (removesSpaces) text = replaceMatches(cut(text, text.text.search(/[^ ]|$/), text.text.length), / {2,}/g, ' ');
    const marked = replaceMatches(text, / /g, metaspace);
    const begun = addsPrefix ? prepend(marked, metaspace) : marked;
    let end = begun.text.length;
    while (removesSpaces && begun.text[end - 1] === metaspace) end--;
    return cut(begun, 0, end);
  };
}

function bytesOfBase64(text: string, where: string): Uint8Array {
  try {
    return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  } catch {
    throw bad(`${where} is not base64.`);
  }
}
