import { items, kinds, testOf, text, type Value } from './jinja-values.ts';

/** Python's methods of strings and Jinja's filters, where @huggingface/jinja lacks them or answers otherwise. */

const whitespace = '\\s\\x1c-\\x1f\\x85';

function stripped(value: string, chars: Value | undefined, sides: 'both' | 'left' | 'right'): string {
  const given = chars && chars.type === 'StringValue' ? (chars.value as string) : undefined;
  const set = given === undefined ? whitespace : given.replace(/[\\\]^-]/g, '\\$&');
  if (set === '') return value;
  const left = sides === 'right' ? '' : value.match(new RegExp(`^[${set}]*`, 'u'))![0];
  const rest = value.slice(left.length);
  return sides === 'left' ? rest : rest.replace(new RegExp(`[${set}]+$`, 'u'), '');
}

const capitalized = (value: string) => {
  const [first = '', ...rest] = value;
  return first.toUpperCase() + rest.join('').toLowerCase();
};
const titled = (value: string) => value.replace(/\p{L}+/gu, capitalized);
const isAll = (pattern: RegExp) => (value: string) => kinds.boolean(pattern.test(value));

/** Arguments of Python's by place or name. */
function named(args: Value[], names: string[]): (Value | undefined)[] {
  const last = args.at(-1);
  const keywords = last?.type === 'KeywordArgumentsValue' ? (last.value as Map<string, Value>) : new Map();
  const placed = last?.type === 'KeywordArgumentsValue' ? args.slice(0, -1) : args;
  return names.map((name, i) => placed[i] ?? keywords.get(name));
}

function split(value: string, args: Value[], fromRight: boolean): Value {
  const [separator, most] = named(args, ['sep', 'maxsplit']);
  const limit = most && (most.value as number) >= 0 ? (most.value as number) : Number.POSITIVE_INFINITY;
  const given = separator?.type === 'StringValue' ? (separator.value as string) : undefined;
  if (given === '') throw new Error('empty separator');
  const pattern = given ?? new RegExp(`[${whitespace}]+`);
  const parts: string[] = given === undefined ? stripped(value, undefined, 'both').split(pattern) : value.split(given);
  if (given === undefined && parts.length === 1 && parts[0] === '') return kinds.list([]);
  if (parts.length > limit + 1) {
    if (given === undefined) return kinds.list(splitByWhitespace(value, limit, fromRight));
    if (fromRight) parts.splice(0, parts.length - limit, parts.slice(0, parts.length - limit).join(given));
    else parts.splice(limit, parts.length, parts.slice(limit).join(given));
  }
  return kinds.list(parts.map(kinds.string));
}

/** What is left over keeps the whitespace inside it. */
function splitByWhitespace(value: string, limit: number, fromRight: boolean): Value[] {
  const parts: string[] = [];
  let rest = stripped(value, undefined, fromRight ? 'right' : 'left');
  const word = fromRight
    ? new RegExp(`[${whitespace}]*([^${whitespace}]+)$`)
    : new RegExp(`^([^${whitespace}]+)[${whitespace}]*`);
  for (let match = word.exec(rest); match && parts.length < limit; match = word.exec(rest)) {
    parts[fromRight ? 'unshift' : 'push'](match[1]!);
    rest = fromRight ? rest.slice(0, match.index) : rest.slice(match[0].length);
  }
  if (rest !== '') parts[fromRight ? 'unshift' : 'push'](rest);
  return parts.map(kinds.string);
}

const methods: Record<string, (value: string, ...args: Value[]) => Value> = {
  strip: (value, chars) => kinds.string(stripped(value, chars, 'both')),
  lstrip: (value, chars) => kinds.string(stripped(value, chars, 'left')),
  rstrip: (value, chars) => kinds.string(stripped(value, chars, 'right')),
  capitalize: (value) => kinds.string(capitalized(value)),
  title: (value) => kinds.string(titled(value)),
  split: (value, ...args) => split(value, args, false),
  rsplit: (value, ...args) => split(value, args, true),
  splitlines: (value) =>
    kinds.list(
      value
        .replace(/\r\n|[\r\n]$/g, (end) => (end === '\r\n' ? '\n' : ''))
        .split(/[\r\n]/)
        .map(kinds.string),
    ),
  join: (value, list) => kinds.string(items(list!).map(stringOf).join(value)),
  find: (value, part) => kinds.integer(value.indexOf(stringOf(part!))),
  rfind: (value, part) => kinds.integer(value.lastIndexOf(stringOf(part!))),
  index(value, part) {
    const at = value.indexOf(stringOf(part!));
    if (at < 0) throw new Error('substring not found');
    return kinds.integer(at);
  },
  format: (value, ...args) => kinds.string(value.replace(/\{(\d*)\}/g, bracesOf(args))),
  partition(value, part) {
    const [before, ...after] = value.split(stringOf(part!));
    return kinds.list([before!, after.length ? stringOf(part!) : '', after.join(stringOf(part!))].map(kinds.string));
  },
  zfill: (value, width) => kinds.string(value.padStart(width!.value as number, '0')),
  count: (value, part) => kinds.integer(value.split(stringOf(part!)).length - 1),
  removeprefix: (value, start) =>
    kinds.string(value.startsWith(stringOf(start!)) ? value.slice(stringOf(start!).length) : value),
  removesuffix: (value, end) =>
    kinds.string(stringOf(end!) && value.endsWith(stringOf(end!)) ? value.slice(0, -stringOf(end!).length) : value),
  isdigit: isAll(/^\p{Nd}+$/u),
  isalpha: isAll(/^\p{L}+$/u),
  isalnum: isAll(/^[\p{L}\p{N}]+$/u),
  isspace: isAll(/^\s+$/u),
  islower: (value) => kinds.boolean(testOf('lower')(kinds.string(value))),
  isupper: (value) => kinds.boolean(testOf('upper')(kinds.string(value))),
};

/** What each `{}` or `{n}` stands for. */
function bracesOf(args: Value[]): (whole: string, index: string) => string {
  let next = 0;
  return (_, index) => {
    const arg = args[index === '' ? next++ : Number(index)];
    if (!arg) throw new Error('a {} has nothing to stand for');
    return text(arg);
  };
}

/** Python's % between a string and values: `%s` and `%d`, `%%`. */
export function formatted(pattern: Value, values: Value[]): string {
  let next = 0;
  const written = stringOf(pattern).replace(/%(.)/g, (whole, letter: string) => {
    if (letter === '%') return '%';
    const value = values[next++];
    if (!value || !'sd'.includes(letter)) throw new Error(`${whole} cannot be formatted`);
    return letter === 'd' ? String(Math.trunc(Number(value.value))) : text(value);
  });
  if (next < values.length) throw new Error('not all arguments converted');
  return written;
}

function stringOf(value: Value): string {
  if (value.type !== 'StringValue') throw new Error(`expected a string, found ${value.type}`);
  return value.value as string;
}

/** A method of a string; undefined where the library's own is right, or where there is none. */
export function stringMethod(value: string, name: string): Value | undefined {
  if (name === 'length') return kinds.nothing();
  const method = Object.hasOwn(methods, name) ? methods[name] : undefined;
  return method && kinds.method((...args) => method(value, ...args));
}

/** How a filter is called. */
interface Call {
  args: Value[];
  named: Map<string, Value>;
  /** Another filter, by its name. */
  apply: (name: string, value: Value) => Value;
}

/** A value at a dotted path, as `attribute=` has it. */
function attributeOf(value: Value, path: string): Value {
  return path.split('.').reduce((at, part) => {
    if (at.value instanceof Map) return (at.value as Map<string, Value>).get(part) ?? kinds.nothing();
    return Array.isArray(at.value) ? ((at.value as Value[])[Number(part)] ?? kinds.nothing()) : kinds.nothing();
  }, value);
}

/** Whether a value passes a test that is named by the first of `args`, its arguments after it. */
function passes(value: Value, [name, ...rest]: Value[]): boolean {
  return name ? testOf(stringOf(name))(value, ...rest) : (value.__bool__().value as boolean);
}

function mapped(value: Value, { args, named: options, apply }: Call): Value {
  const attribute = options.get('attribute');
  if (!attribute) return kinds.list(items(value).map((item) => apply(stringOf(args[0]!), item)));
  const otherwise = options.get('default');
  const of = (item: Value) => attributeOf(item, text(attribute));
  return kinds.list(
    items(value).map((item) => (otherwise && of(item).type === 'UndefinedValue' ? otherwise : of(item))),
  );
}

function joined(value: Value, { args, named: options }: Call): Value {
  const separator = args[0] ?? options.get('d');
  const attribute = args[1] ?? options.get('attribute');
  const parts = items(value).map((item) => text(attribute ? attributeOf(item, text(attribute)) : item));
  return kinds.string(parts.join(separator ? text(separator) : ''));
}

function rounded(value: Value, { args, named: options }: Call): Value {
  const digits = 10 ** Number((args[0] ?? options.get('precision'))?.value ?? 0);
  const method = text(args[1] ?? options.get('method') ?? kinds.string('common'));
  const scaled = Number(value.value) * digits;
  if (method === 'ceil' || method === 'floor') return kinds.float(Math[method](scaled) / digits);
  const low = Math.floor(scaled);
  // Python rounds a half to the even neighbour.
  const near = scaled - low === 0.5 ? low + (low % 2 === 0 ? 0 : 1) : Math.round(scaled);
  return kinds.float(near / digits);
}

function defaulted(value: Value, { args, named: options }: Call): Value {
  const otherwise = args[0] ?? options.get('default_value') ?? kinds.string('');
  const falsy = (args[1] ?? options.get('boolean'))?.__bool__().value as boolean | undefined;
  return value.type === 'UndefinedValue' || (falsy && !value.__bool__().value) ? otherwise : value;
}

/** A part of a number that `int` makes of what it is given. */
function integerOf(value: Value, { args, named: options }: Call): Value {
  const otherwise = args[0] ?? options.get('default') ?? kinds.integer(0);
  const number =
    value.type === 'StringValue' ? Number(text(value).trim() || Number.NaN) : Number(value.value ?? Number.NaN);
  return Number.isFinite(number) ? kinds.integer(Math.trunc(number)) : otherwise;
}

const escaped = (value: string) => value.replace(/[&<>"']/g, (character) => `&${entities[character]};`);
const entities: Record<string, string> = { '&': 'amp', '<': 'lt', '>': 'gt', '"': '#34', "'": '#39' };

function extreme(value: Value, order: '<' | '>'): Value {
  const [first, ...rest] = items(value);
  return rest.reduce((best, item) => (testOf(order)(item, best) ? item : best), first ?? kinds.nothing());
}

const lengthOf = (value: Value) => kinds.integer(items(value).length);
const choose =
  (keep: boolean) =>
  (value: Value, { args }: Call) =>
    kinds.list(items(value).filter((item) => passes(item, args) === keep));
const chooseByAttribute =
  (keep: boolean) =>
  (value: Value, { args: [name, ...rest] }: Call) =>
    kinds.list(items(value).filter((item) => passes(attributeOf(item, stringOf(name!)), rest) === keep));

const filters: Record<string, (value: Value, call: Call) => Value | undefined> = {
  string: (value) => kinds.string(text(value)),
  escape: (value) => kinds.string(escaped(text(value))),
  e: (value) => kinds.string(escaped(text(value))),
  format: (value, { args }) => kinds.string(formatted(value, args)),
  max: (value) => extreme(value, '>'),
  min: (value) => extreme(value, '<'),
  lower: (value) => kinds.string(text(value).toLowerCase()),
  upper: (value) => kinds.string(text(value).toUpperCase()),
  capitalize: (value) => kinds.string(capitalized(text(value))),
  title: (value) => kinds.string(titled(text(value))),
  trim: (value, { args }) => kinds.string(stripped(text(value), args[0], 'both')),
  length: lengthOf,
  count: lengthOf,
  list: (value) => kinds.list(items(value)),
  first: (value) => items(value)[0] ?? kinds.nothing(),
  last: (value) => items(value).at(-1) ?? kinds.nothing(),
  reverse: (value) =>
    value.type === 'StringValue'
      ? kinds.string([...text(value)].reverse().join(''))
      : kinds.list(items(value).reverse()),
  join: joined,
  map: mapped,
  select: choose(true),
  reject: choose(false),
  selectattr: chooseByAttribute(true),
  rejectattr: chooseByAttribute(false),
  default: defaulted,
  d: defaulted,
  int: integerOf,
  round: rounded,
  sum: (value) =>
    items(value).reduce((sum, item) => kinds.integer(Number(sum.value) + Number(item.value)), kinds.integer(0)),
  // `none` and what is undefined have no JSON of their own in the library.
  tojson(value) {
    if (value.type === 'UndefinedValue') throw new Error('something undefined has no JSON');
    return undefined;
  },
};

/** What a filter makes of a value; undefined where the library's own filter is right. */
export function callFilter(name: string, value: Value, call: Call): Value | undefined {
  return Object.hasOwn(filters, name) ? filters[name]!(value, call) : undefined;
}
