import { describe, expect, test } from 'vitest';
import { type ErrorJson, errorOf, VitrineError } from '../../src/plan/error.ts';
import { part } from '../../src/plan/part.ts';

/** As it arrives after a crossing. */
const crossed = (error: VitrineError) => errorOf(JSON.parse(JSON.stringify(error)) as ErrorJson);

describe('a VitrineError', () => {
  const root = new TypeError('Failed to fetch');
  const middle = new VitrineError('network', 'https://hub/x could not be fetched.', { hint: 'Check.', cause: root });
  const error = new VitrineError('bad-checkpoint', 'No config.json.', { hint: 'Look again.', cause: middle });

  test('keeps name, code, message, hint and causes as JSON', () => {
    expect(JSON.parse(JSON.stringify(error))).toEqual({
      name: 'VitrineError',
      code: 'bad-checkpoint',
      message: 'No config.json. Look again.',
      hint: 'Look again.',
      cause: {
        name: 'VitrineError',
        code: 'network',
        message: 'https://hub/x could not be fetched. Check.',
        hint: 'Check.',
        cause: { name: 'TypeError', message: 'Failed to fetch' },
      },
    });
    expect(JSON.parse(JSON.stringify(new VitrineError('disposed', 'Gone.')))).toEqual({
      name: 'VitrineError',
      code: 'disposed',
      message: 'Gone.',
    });
  });

  test('is the same when it has crossed', () => {
    const there = crossed(error) as VitrineError;
    expect(there).toBeInstanceOf(VitrineError);
    expect(there.toJSON()).toEqual(error.toJSON());
    expect(there.cause).toBeInstanceOf(VitrineError);
    expect((there.cause as VitrineError).cause).toMatchObject({ name: 'TypeError', message: 'Failed to fetch' });
    expect(crossed(there).toString()).toBe(error.toString());
  });

  test('has causes that are no errors, or their own', () => {
    expect(new VitrineError('network', 'x', { cause: 'a word' }).toJSON().cause?.message).toBe('a word');
    const own = new Error('round');
    own.cause = own;
    expect(JSON.stringify(new VitrineError('network', 'x', { cause: own }))).toContain('round');
    expect('cause' in new VitrineError('network', 'x')).toBe(false);
  });
});

test('a part that cannot be fetched says what, where and why', async () => {
  const cause = new TypeError('Failed to fetch dynamically imported module: https://site/chunks/open.js');
  const failed = part('The part', () => Promise.reject(cause));
  await expect(failed).rejects.toMatchObject({
    code: 'network',
    message: expect.stringMatching(/^The part could not be loaded: .*https:\/\/site\/chunks\/open\.js\. /),
    cause,
  });
  expect(await part('The part', async () => 7)).toBe(7);
});
