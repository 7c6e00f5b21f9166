import { bad, type Json, list, object, refuse } from './json.ts';
import { plainTemplate, type Template, type TemplatePart } from './template.ts';

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
