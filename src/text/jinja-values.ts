import { Environment } from '@huggingface/jinja';

/** A value of the template while it runs, as @huggingface/jinja has it. */
export interface Value {
  type: string;
  /** A string, number, boolean or null; a list's Values; a mapping's Map of Values. */
  value: unknown;
  builtins: ReadonlyMap<string, Value>;
  __bool__(): Value;
}

type Kind = new (value?: unknown) => Value;

/** The library's own conversion, which is also the only public way to its classes. */
const convert = (value: unknown): Value => new Environment().set('value', value) as unknown as Value;
const classOf = (value: unknown) => convert(value).constructor as Kind;
const Integer = classOf(1);
const Float = classOf(0.5);
const List = classOf([]);
const Mapping = classOf({});
const Method = classOf(() => null);

/** Makes values. */
export const kinds = {
  string: (value: string) => convert(value),
  boolean: (value: boolean) => convert(value),
  integer: (value: number): Value => new Integer(value),
  float: (value: number): Value => new Float(value),
  list: (values: Value[]): Value => new List(values),
  mapping: (entries: Map<string, Value>): Value => new Mapping(entries),
  method: (call: (...args: Value[]) => Value): Value => new Method((args: Value[]) => call(...args)),
  nothing: () => convert(undefined),
};

/** What Python iterates over: a list's values, a mapping's keys, a string's characters; nothing of what is undefined. */
export function items({ type, value }: Value): Value[] {
  switch (type) {
    case 'ArrayValue':
    case 'TupleValue':
      // The library unpacks lists alone.
      return (value as Value[]).map((item) => (item.type === 'TupleValue' ? kinds.list(item.value as Value[]) : item));
    case 'ObjectValue':
    case 'KeywordArgumentsValue':
      return [...(value as Map<string, Value>).keys()].map(kinds.string);
    case 'StringValue':
      return Array.from(value as string, kinds.string);
    case 'UndefinedValue':
      return [];
    default:
      throw new Error(`${type} is not iterable`);
  }
}

/** Python's ==. */
export function equal(a: Value, b: Value): boolean {
  if (a.value instanceof Map && b.value instanceof Map) {
    const other = b.value as Map<string, Value>;
    const entries = [...(a.value as Map<string, Value>)];
    if (other.size !== entries.length) return false;
    return entries.every(([key, one]) => other.has(key) && equal(one, other.get(key)!));
  }
  if (Array.isArray(a.value) && Array.isArray(b.value)) {
    const other = b.value as Value[];
    return a.type === b.type && a.value.length === other.length && a.value.every((one, i) => equal(one, other[i]!));
  }
  const plain = ({ value }: Value) => (typeof value === 'boolean' ? Number(value) : value);
  return plain(a) === plain(b) && (a.value !== undefined || a.type === b.type); // null and undefined have no value
}

/** Python's str(). */
export function text(value: Value): string {
  return value.type === 'StringValue' ? (value.value as string) : value.type === 'UndefinedValue' ? '' : repr(value);
}

function repr({ type, value }: Value): string {
  switch (type) {
    case 'NullValue':
      return 'None';
    case 'UndefinedValue':
      return 'Undefined';
    case 'BooleanValue':
      return value ? 'True' : 'False';
    case 'IntegerValue':
      return String(value);
    case 'FloatValue':
      return floatText(value as number);
    case 'StringValue':
      return quoted(value as string);
    case 'ArrayValue':
      return `[${(value as Value[]).map(repr).join(', ')}]`;
    case 'TupleValue':
      return `(${(value as Value[]).map(repr).join(', ')}${(value as Value[]).length === 1 ? ',' : ''})`;
    case 'ObjectValue':
    case 'KeywordArgumentsValue':
      return `{${[...(value as Map<string, Value>)].map(([key, one]) => `${quoted(key)}: ${repr(one)}`).join(', ')}}`;
    default:
      return `<${type}>`;
  }
}

function floatText(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e16) return Object.is(value, -0) ? '-0.0' : value.toFixed(1);
  // JavaScript writes an exponent from 1e21 and below 1e-6, Python from 1e16 and below 1e-4, with two digits at least.
  const isSmall = value !== 0 && Math.abs(value) < 1e-4;
  const written = isSmall || Math.abs(value) >= 1e16 ? value.toExponential() : String(value);
  return written
    .replace(/e([+-])(\d)$/, 'e$10$2')
    .replace('Infinity', 'inf')
    .replace('NaN', 'nan');
}

function quoted(value: string): string {
  const quote = value.includes("'") && !value.includes('"') ? '"' : "'";
  const escapes: Record<string, string> = {
    '\\': '\\\\',
    '\n': '\\n',
    '\r': '\\r',
    '\t': '\\t',
    [quote]: `\\${quote}`,
  };
  const hex = (character: string) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
  const inner = Array.from(value, (c) => escapes[c] ?? (/[\p{Cc}\xa0\xad]/u.test(c) ? hex(c) : c));
  return quote + inner.join('') + quote;
}

type Test = (value: Value, ...args: Value[]) => boolean;

const isOneOf =
  (...types: string[]): Test =>
  ({ type }) =>
    types.includes(type);
const ordered =
  (holds: (a: never, b: never) => boolean): Test =>
  (a, b) =>
    holds(a.value as never, b!.value as never);
const isCased = (value: string) => value.toLowerCase() !== value.toUpperCase();

/** Jinja's tests, where the library's differ or lack: a boolean is a number, a mapping can be iterated. */
const tests: Record<string, Test> = {
  number: isOneOf('IntegerValue', 'FloatValue', 'BooleanValue'),
  float: isOneOf('FloatValue'),
  iterable: isOneOf('ArrayValue', 'TupleValue', 'StringValue', 'ObjectValue', 'UndefinedValue'),
  sequence: isOneOf('ArrayValue', 'TupleValue', 'StringValue', 'ObjectValue', 'UndefinedValue'),
  lower: (value) => isCased(text(value)) && text(value) === text(value).toLowerCase(),
  upper: (value) => isCased(text(value)) && text(value) === text(value).toUpperCase(),
  odd: ({ value }) => Math.abs(Number(value)) % 2 === 1,
  even: ({ value }) => Number(value) % 2 === 0,
  divisibleby: ({ value }, by) => Number(value) % Number(by!.value) === 0,
  in: (value, whole) => items(whole!).some((item) => equal(item, value)),
  sameas: (a, b) => a.type === b!.type && a.value === b!.value,
  ...Object.fromEntries(['eq', 'equalto', '=='].map((name) => [name, (a: Value, b: Value) => equal(a, b)])),
  ...Object.fromEntries(['ne', '!='].map((name) => [name, (a: Value, b: Value) => !equal(a, b)])),
  ...Object.fromEntries(['lt', 'lessthan', '<'].map((name) => [name, ordered((a, b) => a < b)])),
  ...Object.fromEntries(['gt', 'greaterthan', '>'].map((name) => [name, ordered((a, b) => a > b)])),
  ...Object.fromEntries(['le', '<='].map((name) => [name, ordered((a, b) => a <= b)])),
  ...Object.fromEntries(['ge', '>='].map((name) => [name, ordered((a, b) => a >= b)])),
};

/** Puts them into the table that the library's scopes share. */
export function makeTests(scope: Environment): void {
  const table = scope.tests as unknown as Map<string, Test>;
  for (const [name, test] of Object.entries(tests)) table.set(name, test);
}

export function testOf(name: string): Test {
  const test = (new Environment().tests as unknown as Map<string, Test>).get(name);
  if (!test) throw new Error(`no test named ${name}`);
  return test;
}
