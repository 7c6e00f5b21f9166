import { Environment, Interpreter, parse, tokenize } from '@huggingface/jinja';
import { equal, items, kinds, makeTests, text, type Value } from './jinja-values.ts';
import { callFilter, formatted, stringMethod } from './jinja-words.ts';

/**
 * Chat templates are written for Python's Jinja2. @huggingface/jinja parses and runs them; where it differs from Python in what
 * a template writes or refuses, its interpreter is mended here: one method of it after the other, named as there.
 */

interface Node {
  type: string;
  value?: unknown;
  operator: { value: string };
  left: Node;
  right: Node;
  object: Node;
  property: Node;
  computed: boolean;
  iterable: Node;
  lhs: Node;
  body: Node[];
  defaultBlock: Node[];
  callee: Node;
  args: Node[];
}

/** What is overridden, and called, of the library's interpreter, which declares it private. */
interface Base {
  evaluate(node: Node, scope: Environment): Value;
  evaluateBlock(nodes: Node[], scope: Environment): Value;
  evaluateFor(node: Node, scope: Environment): Value;
  evaluateMemberExpression(node: Node, scope: Environment): Value;
  evaluateBinaryExpression(node: Node, scope: Environment): Value;
  applyFilter(operand: Value, filter: Node, scope: Environment): Value;
  evaluateArguments(args: Node[], scope: Environment): [Value[], Map<string, Value>];
}
const Library = Interpreter as unknown as new (scope: Environment) => Base;

/** The class of what the library throws to leave a loop or its turn. */
function thrownBy(type: string): new () => Error {
  try {
    new Library(new Environment()).evaluate({ type } as Node, new Environment());
  } catch (error) {
    return (error as Error).constructor as new () => Error;
  }
  throw new Error(`@huggingface/jinja has no ${type}`);
}
const Break = thrownBy('Break');
const Continue = thrownBy('Continue');

/** Statements that write nothing; their value is null, which as an expression's is written. */
const silent = new Set(['Set', 'Macro', 'Comment']);

/** Of a loop that is being run. */
interface Loop {
  body: Node[];
  otherwise: Node[];
  /** What turns that were left had written: it goes before what is written next. */
  left: string;
}

class PythonInterpreter extends Library {
  readonly #loops: Loop[] = [];
  /** Written by the blocks that a `break` or `continue` is leaving, up to its loop. */
  #leaving = '';

  /** A node `{ type: 'Value' }` is a value that has been computed already. */
  override evaluate(node: Node, scope: Environment): Value {
    return node?.type === 'Value' ? (node.value as Value) : super.evaluate(node, scope);
  }

  override evaluateBlock(nodes: Node[], scope: Environment): Value {
    const loop = this.#loops.at(-1);
    const isTurn = loop !== undefined && (nodes === loop.body || nodes === loop.otherwise);
    let written = '';
    try {
      for (const node of nodes) {
        const value = this.evaluate(node, scope);
        if (!silent.has(node.type)) written += text(value);
      }
    } catch (error) {
      if (!(error instanceof Break || error instanceof Continue)) throw error;
      this.#leaving = written + this.#leaving;
      if (isTurn) [loop.left, this.#leaving] = [loop.left + this.#leaving, ''];
      throw error;
    }
    if (isTurn) [written, loop.left] = [loop.left + written, ''];
    return kinds.string(written);
  }

  override evaluateFor(node: Node, scope: Environment): Value {
    const loop: Loop = { body: node.body, otherwise: node.defaultBlock, left: '' };
    const source = node.iterable.type === 'SelectExpression' ? node.iterable.lhs : node.iterable;
    const over = { type: 'Value', value: kinds.list(items(this.evaluate(source, scope))) } as Node;
    const iterable = source === node.iterable ? over : { ...node.iterable, lhs: over };
    this.#loops.push(loop);
    try {
      const written = super.evaluateFor({ ...node, iterable }, scope).value as string;
      return kinds.string(written + loop.left);
    } finally {
      this.#loops.pop();
    }
  }

  override evaluateMemberExpression(node: Node, scope: Environment): Value {
    const object = this.evaluate(node.object, scope);
    if (object.type === 'UndefinedValue') throw new Error('a member of something undefined was asked for');
    if (!node.computed && node.property.type === 'Identifier') {
      const method = memberOf(object, node.property.value as string);
      if (method) return method;
    }
    const evaluated = { type: 'Value', value: object } as unknown as Node;
    return super.evaluateMemberExpression({ ...node, object: evaluated }, scope);
  }

  override evaluateBinaryExpression(node: Node, scope: Environment): Value {
    const { value: operator } = node.operator;
    const left = this.evaluate(node.left, scope);
    const isTrue = left.__bool__().value as boolean;
    if (operator === 'and') return isTrue ? this.evaluate(node.right, scope) : left;
    if (operator === 'or') return isTrue ? left : this.evaluate(node.right, scope);
    return binary(operator, left, this.evaluate(node.right, scope));
  }

  override applyFilter(operand: Value, filter: Node, scope: Environment): Value {
    const isCall = filter.type === 'CallExpression';
    const name = (isCall ? filter.callee : filter).value as string;
    const [args, named] = isCall ? this.evaluateArguments(filter.args, scope) : [[], new Map<string, Value>()];
    const apply = (inner: string, value: Value) =>
      this.applyFilter(value, { type: 'Identifier', value: inner } as Node, scope);
    return callFilter(name, operand, { args, named, apply }) ?? super.applyFilter(operand, filter, scope);
  }
}

/** Attributes that come before a mapping's keys, and methods of strings and loops, as in Python. */
function memberOf(object: Value, name: string): Value | undefined {
  if (object.type === 'StringValue') return stringMethod(object.value as string, name);
  if (object.type === 'ArrayValue' || object.type === 'TupleValue')
    return name === 'length' ? kinds.nothing() : undefined;
  if (object.type !== 'ObjectValue') return undefined;
  const entries = object.value as Map<string, Value>;
  if (name === 'cycle' && entries.has('revindex0')) {
    const turn = entries.get('index0')!.value as number;
    return kinds.method((...values) => values[turn % values.length]!);
  }
  return ['items', 'keys', 'values', 'get'].includes(name) ? object.builtins.get(name) : undefined;
}

const isNumber = ({ type }: Value) => type === 'IntegerValue' || type === 'FloatValue' || type === 'BooleanValue';
const isString = ({ type }: Value) => type === 'StringValue';
const isList = ({ type }: Value) => type === 'ArrayValue' || type === 'TupleValue';

/** An operator between two values, as Python has it; what Python refuses throws. */
function binary(operator: string, left: Value, right: Value): Value {
  switch (operator) {
    case '==':
      return kinds.boolean(equal(left, right));
    case '!=':
      return kinds.boolean(!equal(left, right));
    case 'in':
      return kinds.boolean(contains(right, left));
    case 'not in':
      return kinds.boolean(!contains(right, left));
    case '~':
      return kinds.string(text(left) + text(right));
  }
  if (isNumber(left) && isNumber(right)) return arithmetic(operator, left, right);
  if (isString(left) && isString(right)) {
    const [a, b] = [left.value as string, right.value as string];
    if (operator === '+') return kinds.string(a + b);
    const order = compared(operator, a, b);
    if (order !== undefined) return kinds.boolean(order);
  }
  if (operator === '+' && isList(left) && left.type === right.type)
    return kinds.list([...items(left), ...items(right)]);
  if (operator === '*' && right.type === 'IntegerValue') {
    const times = Math.max(0, right.value as number);
    if (isString(left)) return kinds.string((left.value as string).repeat(times));
    if (isList(left)) return kinds.list(Array.from({ length: times }, () => items(left)).flat());
  }
  if (operator === '%' && isString(left)) return kinds.string(formatted(left, isList(right) ? items(right) : [right]));
  throw new Error(`unsupported operands for ${operator}: ${left.type} and ${right.type}`);
}

function contains(whole: Value, part: Value): boolean {
  if (isString(whole)) {
    if (!isString(part)) throw new Error(`a string is asked whether it contains ${part.type}`);
    return (whole.value as string).includes(part.value as string);
  }
  return items(whole).some((item) => equal(item, part));
}

function compared<T extends string | number>(operator: string, a: T, b: T): boolean | undefined {
  switch (operator) {
    case '<':
      return a < b;
    case '<=':
      return a <= b;
    case '>':
      return a > b;
    case '>=':
      return a >= b;
    default:
      return undefined;
  }
}

function arithmetic(operator: string, left: Value, right: Value): Value {
  const [a, b] = [Number(left.value), Number(right.value)];
  const order = compared(operator, a, b);
  if (order !== undefined) return kinds.boolean(order);
  if (b === 0 && ['/', '//', '%'].includes(operator)) throw new Error('division by zero');
  const isFloat = operator === '/' || left.type === 'FloatValue' || right.type === 'FloatValue';
  const number = (value: number) => (isFloat ? kinds.float(value) : kinds.integer(value));
  switch (operator) {
    case '+':
      return number(a + b);
    case '-':
      return number(a - b);
    case '*':
      return number(a * b);
    case '/':
      return number(a / b);
    case '//':
      return number(Math.floor(a / b));
    case '%':
      return number(a - b * Math.floor(a / b));
    case '**':
      return b < 0 ? kinds.float(a ** b) : number(a ** b);
    default:
      throw new Error(`unknown operator ${operator}`);
  }
}

/** `{% raw %}`, which the library does not know, as an expression that writes the same. */
function withoutRaw(template: string): string {
  const raw = /\{%([-+]?)\s*raw\s*(-?)%\}\n?([\s\S]*?)\{%(-?)\s*endraw\s*(-?)%\}\n?/g;
  return template.replace(
    raw,
    (_, before: string, trimStart: string, inner: string, trimEnd: string, after: string) => {
      const start = trimStart ? inner.trimStart() : inner;
      const kept = trimEnd ? start.trimEnd() : start;
      return `{{${before === '-' ? '-' : ''} ${JSON.stringify(kept)} ${after}}}`;
    },
  );
}

/** Python's dict(), of a mapping, of pairs, of names. */
function dict(...args: Value[]): Value {
  const entries = args.flatMap((arg): [string, Value][] => {
    if (arg.value instanceof Map) return [...(arg.value as Map<string, Value>)];
    return items(arg).map((pair) => [text(items(pair)[0]!), items(pair)[1]!]);
  });
  return kinds.mapping(new Map(entries));
}

/** As Jinja's sandbox has it. */
const longestRange = 100_000;

function range(...bounds: number[]): number[] {
  const [start, stop, step = 1] = bounds.length > 1 ? bounds : [0, bounds[0]!];
  if (step === 0) throw new Error('range() takes no step of 0');
  const length = Math.max(0, Math.ceil((stop! - start!) / step));
  if (length > longestRange) throw new Error(`a range of ${length} is more than ${longestRange}`);
  return Array.from({ length }, (_, i) => start! + i * step);
}

/** Python's `datetime.now().strftime(format)`, for what is used in dates. */
function strftimeNow(format: string): string {
  const now = new Date();
  const two = (value: number) => String(value).padStart(2, '0');
  const name = (options: Intl.DateTimeFormatOptions) => new Intl.DateTimeFormat('en-US', options).format(now);
  const parts: Record<string, () => string> = {
    Y: () => String(now.getFullYear()),
    y: () => two(now.getFullYear() % 100),
    m: () => two(now.getMonth() + 1),
    d: () => two(now.getDate()),
    B: () => name({ month: 'long' }),
    b: () => name({ month: 'short' }),
    A: () => name({ weekday: 'long' }),
    a: () => name({ weekday: 'short' }),
    H: () => two(now.getHours()),
    I: () => two(now.getHours() % 12 || 12),
    M: () => two(now.getMinutes()),
    S: () => two(now.getSeconds()),
    p: () => (now.getHours() < 12 ? 'AM' : 'PM'),
    '%': () => '%',
  };
  return format.replace(/%(.)/g, (whole, letter: string) => parts[letter]?.() ?? whole);
}

/** @throws what is wrong in the template, or what it raised, in its own words */
export function renderTemplate(template: string, variables: Record<string, unknown>): string {
  const program = parse(tokenize(withoutRaw(template), { trim_blocks: true, lstrip_blocks: true }));
  const scope = new Environment();
  makeTests(scope);
  const constants = { true: true, True: true, false: false, False: false, none: null, None: null };
  const functions = {
    range,
    strftime_now: strftimeNow,
    raise_exception(message: string) {
      throw new Error(message);
    },
  };
  for (const [name, value] of Object.entries({ ...constants, ...functions, ...variables })) scope.set(name, value);
  scope.setVariable('dict', kinds.method(dict) as never);
  return new PythonInterpreter(scope).evaluate(program as unknown as Node, scope).value as string;
}
