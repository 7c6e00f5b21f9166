import { VitrineError } from '../plan/error.ts';
import { bad, type Json, list, object, refuse } from './json.ts';
import type { Cuts } from './merge.ts';
import type { InputsOptions, TokenizerInputs, Truncation } from './options.ts';

/** What a model reads: texts, and the tokens that it expects around them. */
export interface Template {
  single: TemplatePart[];
  pair: TemplatePart[];
  /** White space at either end of a token is no part of its offsets; the space that is put before a text is none. */
  trim: { prefixSpace: boolean } | undefined;
}

/** A text (0 the first, 1 the second) or a token, and the type of its ids. */
export type TemplatePart = { sequence: 0 | 1; type: number } | { id: number; type: number };

/** Texts as they are. */
export const plainTemplate: Template = {
  single: [{ sequence: 0, type: 0 }],
  pair: [
    { sequence: 0, type: 0 },
    { sequence: 1, type: 1 },
  ],
  trim: undefined,
};

/** A post-processor as tokenizer.json describes it. `where` names it in messages. */
export function templateOf(json: unknown, where: string): Template {
  if (json == null) return plainTemplate;
  const fields = object(json, where);
  switch (fields.type) {
    case 'Sequence': {
      const parts = list(fields.processors, `${where}.processors`);
      return parts.reduce<Template>((before, part, i) => {
        const next = templateOf(part, `${where}.processors[${i}]`);
        const adds = object(part, where).type !== 'ByteLevel';
        return { ...(adds ? next : before), trim: next.trim ?? before.trim };
      }, plainTemplate);
    }
    case 'ByteLevel': {
      const prefixSpace = fields.add_prefix_space !== false;
      return { ...plainTemplate, trim: fields.trim_offsets === false ? undefined : { prefixSpace } };
    }
    case 'TemplateProcessing':
      return { ...templates(fields, where), trim: undefined };
    case 'BertProcessing':
    case 'RobertaProcessing':
      return around(fields, where);
    default:
      throw refuse(`${where}.type`, fields.type, 'a post-processor that Vitrine knows');
  }
}

/** A first token, the text, a separator; RoBERTa has two of these between texts, and no types. */
function around(fields: Json, where: string): Template {
  const idOf = (name: string) => {
    const id = list(fields[name], `${where}.${name}`)[1];
    if (typeof id !== 'number') throw bad(`${where}.${name} has no id.`);
    return id;
  };
  const [cls, sep] = [idOf('cls'), idOf('sep')];
  const isRoberta = fields.type === 'RobertaProcessing';
  const type = isRoberta ? 0 : 1;
  const single: TemplatePart[] = [
    { id: cls, type: 0 },
    { sequence: 0, type: 0 },
    { id: sep, type: 0 },
  ];
  const between: TemplatePart[] = isRoberta ? [{ id: sep, type: 0 }] : [];
  const pair: TemplatePart[] = [...single, ...between, { sequence: 1, type }, { id: sep, type }];
  const prefixSpace = fields.add_prefix_space !== false;
  return { single, pair, trim: isRoberta && fields.trim_offsets !== false ? { prefixSpace } : undefined };
}

function templates(fields: Json, where: string): Pick<Template, 'single' | 'pair'> {
  const special = object(fields.special_tokens ?? {}, `${where}.special_tokens`);
  const read = (name: 'single' | 'pair') =>
    list(fields[name], `${where}.${name}`).flatMap((entry, i): TemplatePart[] => {
      const what = `${where}.${name}[${i}]`;
      const part = object(entry, what);
      const inner = object(part.Sequence ?? part.SpecialToken, what);
      const type = inner.type_id ?? 0;
      if (typeof type !== 'number' || !Number.isInteger(type)) throw bad(`${what}.type_id is no number.`);
      if (part.Sequence !== undefined) {
        if (inner.id !== 'A' && (inner.id !== 'B' || name === 'single')) throw bad(`${what} is no text that there is.`);
        return [{ sequence: inner.id === 'A' ? 0 : 1, type }];
      }
      const { ids } = object(special[String(inner.id)], `${where}.special_tokens.${String(inner.id)}`);
      return list(ids, `${where}.special_tokens.${String(inner.id)}.ids`).map((id) => {
        if (typeof id !== 'number' || !Number.isInteger(id)) throw bad(`${what} has an id that is no number.`);
        return { id, type };
      });
    });
  const single = read('single');
  return { single, pair: fields.pair === undefined ? plainTemplate.pair : read('pair') };
}

/** Puts the texts of a call, cut to what there is room for, into a template. */
export function assemble(
  first: Cuts,
  second: Cuts | undefined,
  { single, pair }: Pick<Template, 'single' | 'pair'>,
  { maxLength, truncation = 'longest_first' }: InputsOptions,
): TokenizerInputs {
  const parts = second ? pair : single;
  const texts = second ? [first, second] : [first];
  const lengths = texts.map(({ ids }) => ids.length);
  if (maxLength !== undefined) {
    const around = parts.filter((part) => 'id' in part).length;
    if (maxLength < around) {
      const message = `Option 'maxLength' is ${maxLength}, and the tokens around the text are ${around}.`;
      throw new VitrineError('bad-option', message);
    }
    truncate(lengths, maxLength - around, truncation);
  }
  const made: TokenizerInputs = { ids: [], types: [], offsets: [], sequence: [], words: [] };
  const add = (id: number, type: number, offsets: [number, number], sequence: 0 | 1 | null, word: number | null) => {
    made.ids.push(id);
    made.types.push(type);
    made.offsets.push(offsets);
    made.sequence.push(sequence);
    made.words.push(word);
  };
  for (const part of parts) {
    if ('id' in part) {
      add(part.id, part.type, [0, 0], null, null);
      continue;
    }
    const { ids, starts, ends, words } = texts[part.sequence]!;
    for (let i = 0; i < lengths[part.sequence]!; i++) {
      add(ids[i]!, part.type, [starts[i]!, ends[i]!], part.sequence, words?.[i] ?? i);
    }
  }
  return made;
}

/** Shortens to `room` in all. `longest_first` takes from the longer text until both are equal, then from both. */
function truncate(lengths: number[], room: number, truncation: Truncation): void {
  const [first = 0, second = 0] = lengths;
  const excess = first + second - room;
  if (excess <= 0) return;
  if (room === 0) return void lengths.fill(0);
  if (truncation === 'longest_first' && lengths.length > 1) {
    const shorter = Math.min(first, second, Math.floor(room / 2));
    lengths[0] = first > second ? room - shorter : shorter;
    lengths[1] = room - lengths[0];
    return;
  }
  const i = truncation === 'only_second' ? 1 : 0;
  const length = lengths[i];
  if (length === undefined || length < excess) {
    const found = length === undefined ? 'there is no second text' : `it has ${length}`;
    const message = `Option 'truncation' is '${truncation}', and ${excess} ids of this text are too many: ${found}.`;
    throw new VitrineError('bad-option', message);
  }
  lengths[i] = length - excess;
}
