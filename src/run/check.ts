import { badOption } from '../plan/error.ts';
import { type Check, quote, refuse } from './refuse.ts';

export { type Check, isFunction, isSignal, quote, refuse } from './refuse.ts';

/** @param above `'above'`: the smallest value itself is out */
export function number(min: number, max = Number.MAX_VALUE, above?: 'above'): Check {
  const low = min === -Number.MAX_VALUE ? 'a finite number' : above ? `a number above ${min}` : `a number from ${min}`;
  return {
    expects: max === Number.MAX_VALUE ? low : `${low} to ${max}`,
    accepts: (value) => typeof value === 'number' && value >= min && value <= max && !(above && value === min),
  };
}

export function integer(min: number, max = Number.MAX_SAFE_INTEGER): Check {
  return {
    expects: max === Number.MAX_SAFE_INTEGER ? `an integer from ${min}` : `an integer from ${min} to ${max}`,
    accepts: (value) => Number.isInteger(value) && (value as number) >= min && (value as number) <= max,
  };
}

export function oneOf(...values: unknown[]): Check {
  return { expects: values.map(quote).join(' or '), accepts: (value) => values.includes(value) };
}

export function listOf(what: string, accepts: (item: unknown) => boolean): Check {
  return { expects: `a list of ${what}`, accepts: (value) => Array.isArray(value) && value.every(accepts) };
}

/** An array, plain or typed. */
export function isList(value: unknown): value is ArrayLike<unknown> {
  return Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));
}

/**
 * A list of integers from 0 to `below` - 1.
 * @throws VitrineError `bad-option`, which calls the list `what` and names the first item that is none
 */
export function integersOf(what: string, given: unknown, below: number, expected = 'a list of numbers'): number[] {
  if (!isList(given)) throw badOption(`The ${what} is ${quote(given)}; expected ${expected}.`);
  const numbers = Array.from(given) as number[];
  const wrong = numbers.findIndex((one) => !integer(0, below - 1).accepts(one));
  if (wrong < 0) return numbers;
  const found = `The ${what} has ${quote(numbers[wrong])} at ${wrong}`;
  throw badOption(`${found}; expected integers from 0 to ${below - 1}.`);
}

export const isIdList: Check = {
  expects: 'a list of token ids',
  accepts: (value) => isList(value) && Array.from(value).every(Number.isInteger),
};

export const isString: Check = { expects: 'a string', accepts: (value) => typeof value === 'string' && value !== '' };

/**
 * @param call whose options they are, for messages
 * @throws VitrineError `bad-option` for an unknown option or a value that its check does not accept; undefined is absent
 */
export function checkOptions(call: string, options: unknown, checks: Readonly<Record<string, Check>>): void {
  checkObject(call, options);
  for (const [name, value] of Object.entries(options as object)) {
    const check = Object.hasOwn(checks, name) ? checks[name] : undefined;
    if (!check) {
      throw badOption(`${call} has no option ${quote(name)}.`, `Its options are ${Object.keys(checks).join(', ')}.`);
    }
    if (value !== undefined && !check.accepts(value)) throw refuse(name, value, check.expects);
  }
}

/** @throws VitrineError `bad-option` for options that are no object */
export function checkObject(call: string, options: unknown): void {
  if (typeof options === 'object' && options !== null && !Array.isArray(options)) return;
  throw badOption(`${call} expects its options as an object, found ${quote(options)}.`);
}
