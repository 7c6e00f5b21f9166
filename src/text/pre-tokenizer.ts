import { type Aligned, cut, prepend, replaceMatches } from './aligned.ts';
import { metaspace } from './decoder.ts';
import { gpt2Pattern } from './gpt2.ts';
import { check, type Json, list, object, refuse, string } from './json.ts';
import { literally } from './literally.ts';
import { byteLetters } from './normalizer.ts';
import type { Compile } from './pattern.ts';
import { punctuation } from './unicode.ts';

/** Cuts a text into words, each of which is looked up by itself. */
export type PreTokenizer = (source: Aligned) => Aligned[];

/** A pre-tokenizer as tokenizer.json describes it. `where` names it in messages. */
export function preTokenizerOf(json: unknown, where: string, compile: Compile): PreTokenizer {
  if (json == null) return (source) => [source];
  const fields = object(json, where);
  switch (fields.type) {
    case 'Sequence': {
      const parts = list(fields.pretokenizers, `${where}.pretokenizers`).map((part, i) =>
        preTokenizerOf(part, `${where}.pretokenizers[${i}]`, compile),
      );
      return (source) => parts.reduce((words, split) => words.flatMap(split), [source]);
    }
    case 'ByteLevel':
      return byteLevel(fields);
    case 'BertPreTokenizer':
      return inTurn(splitter(/\p{White_Space}+/gu, 'Removed'), splitter(punctuation, 'Isolated'));
    case 'Whitespace':
      return splitter(
        /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]+|[^\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}\p{White_Space}]+/gu,
        'Removed',
        true,
      );
    case 'WhitespaceSplit':
      return splitter(/\p{White_Space}+/gu, 'Removed');
    case 'CharDelimiterSplit':
      return splitter(compile({ String: fields.delimiter }, `${where}.delimiter`), 'Removed');
    case 'Digits':
      return splitter(fields.individual_digits === true ? /\p{N}/gu : /\p{N}+/gu, 'Isolated');
    case 'Punctuation':
      return splitter(punctuation, behaviorOf(fields.behavior ?? 'Isolated', where));
    case 'Split': {
      check(`${where}.invert`, fields.invert ?? false, true, false);
      const behavior = behaviorOf(fields.behavior, where);
      return splitter(compile(fields.pattern, `${where}.pattern`), behavior, fields.invert === true);
    }
    case 'Metaspace':
      return metaspaceWords(fields, where);
    default:
      throw refuse(`${where}.type`, fields.type, 'a pre-tokenizer that Vitrine knows');
  }
}

const behaviors = ['Removed', 'Isolated', 'Contiguous', 'MergedWithPrevious', 'MergedWithNext'] as const;
type Behavior = (typeof behaviors)[number];

function behaviorOf(value: unknown, where: string): Behavior {
  check(`${where}.behavior`, value, ...behaviors);
  return value as Behavior;
}

const inTurn =
  (first: PreTokenizer, second: PreTokenizer): PreTokenizer =>
  (source) =>
    first(source).flatMap(second);

/** Cuts at what the pattern matches, or with `invert` at what is between. */
function splitter(pattern: RegExp, behavior: Behavior, invert = false): PreTokenizer {
  return (source) => {
    const parts: Part[] = [];
    let done = 0;
    const add = (end: number, isMatch: boolean) => {
      if (end > done) parts.push({ start: done, end, isMatch: isMatch !== invert });
      done = end;
    };
    for (const match of source.text.matchAll(pattern)) {
      add(match.index, false);
      add(match.index + match[0].length, true);
    }
    add(source.text.length, false);
    return joinParts(parts, behavior).map(({ start, end }) => cut(source, start, end));
  };
}

interface Part {
  start: number;
  end: number;
  isMatch: boolean;
}

function joinParts(parts: Part[], behavior: Behavior): Part[] {
  if (behavior === 'Isolated') return parts;
  if (behavior === 'Removed') return parts.filter(({ isMatch }) => !isMatch);
  const joined: Part[] = [];
  let before: boolean | undefined; // whether the part before was a match
  for (const part of parts) {
    const last = joined.at(-1);
    const joins = {
      Contiguous: part.isMatch === before,
      MergedWithPrevious: part.isMatch && before === false,
      MergedWithNext: !part.isMatch && before === true,
    }[behavior];
    if (joins && last) last.end = part.end;
    else joined.push({ ...part });
    before = part.isMatch;
  }
  return joined;
}

function byteLevel(fields: Json): PreTokenizer {
  const words: PreTokenizer =
    fields.use_regex === false ? (source) => [source] : splitter(new RegExp(gpt2Pattern, 'gu'), 'Isolated');
  const adds = fields.add_prefix_space === true;
  return (source) => {
    const text = adds && !source.text.startsWith(' ') ? prepend(source, ' ') : source;
    return words(text).map(byteLetters);
  };
}

function metaspaceWords(fields: Json, where: string): PreTokenizer {
  const mark = string(fields.replacement ?? metaspace, `${where}.replacement`);
  const scheme = fields.prepend_scheme ?? (fields.add_prefix_space === false ? 'never' : 'always');
  check(`${where}.prepend_scheme`, scheme, 'always', 'first', 'never');
  const words: PreTokenizer =
    fields.split === false ? (source) => [source] : splitter(new RegExp(literally(mark), 'gu'), 'MergedWithNext');
  return (source) => {
    const marked = replaceMatches(source, / /g, mark);
    const begins = scheme === 'always' || (scheme === 'first' && source.from[source.base] === 0);
    return words(begins && !marked.text.startsWith(mark) ? prepend(marked, mark) : marked);
  };
}
