import { binaryOfLetters, binaryOfText } from './bytes.ts';
import { check, type Json, list, object, refuse, string } from './json.ts';

/** Marks for the beginning of words, as SentencePiece spells a space. */
export const metaspace = '\u2581';

/** The bytes, one a char, that a token as the vocabulary spells it adds to a text: at its beginning, or within. */
export type Decoder = (spelling: string, first: boolean) => string;

/** A decoder as tokenizer.json describes it. `where` names it in messages. */
export function decoderOf(json: unknown, where: string): Decoder {
  if (json == null) return (spelling, first) => binaryOfText(first ? spelling : ` ${spelling}`);
  const fields = object(json, where);
  switch (fields.type) {
    case 'ByteLevel':
      return binaryOfLetters;
    case 'WordPiece':
      return wordPieceDecoder(fields, where);
    case 'Metaspace': {
      const mark = string(fields.replacement ?? metaspace, `${where}.replacement`);
      const keeps = fields.prepend_scheme === 'never' || fields.add_prefix_space === false;
      return (spelling, first) => binaryOfText(spelling.replaceAll(mark, first && !keeps ? '' : ' '));
    }
    case 'Fuse':
    case 'ByteFallback':
    case 'Replace':
    case 'Strip':
      return steps([fields], where);
    case 'Sequence': {
      const parts = list(fields.decoders, `${where}.decoders`).map((part, i) =>
        object(part, `${where}.decoders[${i}]`),
      );
      if (parts.length === 1) return decoderOf(parts[0], `${where}.decoders[0]`);
      return steps(parts, `${where}.decoders`);
    }
    default:
      throw refuse(`${where}.type`, fields.type, 'a decoder that Vitrine knows');
  }
}

function wordPieceDecoder(fields: Json, where: string): Decoder {
  const prefix = string(fields.prefix ?? '##', `${where}.prefix`);
  return (spelling, first) => {
    if (first) return binaryOfText(spelling);
    return binaryOfText(spelling.startsWith(prefix) ? spelling.slice(prefix.length) : ` ${spelling}`);
  };
}

/** What SentencePiece's decoders are written as: marks become spaces, `<0xE2>` a byte, and a space at the beginning goes. */
function steps(parts: Json[], where: string): Decoder {
  let bytes = false;
  let stripped = 0;
  const replaced: [string, string][] = [];
  for (const [i, part] of parts.entries()) {
    const name = `${where}[${i}]`;
    if (part.type === 'ByteFallback') bytes = true;
    else if (part.type === 'Replace') {
      const { String: text } = object(part.pattern, `${name}.pattern`);
      replaced.push([string(text, `${name}.pattern.String`), string(part.content, `${name}.content`)]);
    } else if (part.type === 'Strip') {
      check(`${name}.content`, part.content, ' ');
      check(`${name}.stop`, part.stop ?? 0, 0);
      check(`${name}.start`, part.start ?? 0, 0, 1);
      stripped = part.start === 1 ? 1 : 0;
    } else if (part.type !== 'Fuse') throw refuse(`${name}.type`, part.type, 'Replace, ByteFallback, Fuse or Strip');
  }
  return (spelling, first) => {
    const byte = bytes ? /^<0x([0-9A-Fa-f]{2})>$/.exec(spelling)?.[1] : undefined;
    if (byte !== undefined) return String.fromCharCode(Number.parseInt(byte, 16));
    const text = replaced.reduce((before, [mark, content]) => before.replaceAll(mark, content), spelling);
    return binaryOfText(first && stripped > 0 && text.startsWith(' ') ? text.slice(1) : text);
  };
}
