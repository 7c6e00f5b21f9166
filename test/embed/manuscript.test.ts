import { describe, expect, test } from 'vitest';
import { append, edit, type Manuscript, stretches, textOf, written } from '../../src/embed/manuscript.ts';

function completed(prompt: string, ...tokens: string[]): Manuscript {
  return tokens.reduce((text, token, id) => append(text, { id, text: token, logprob: -1 }), written(prompt));
}

describe('a manuscript', () => {
  const story = completed('Once upon a time', ',', ' there', ' was', ' a');

  test('is one text, drawn in stretches of one author each', () => {
    expect(textOf(story)).toBe('Once upon a time, there was a');
    expect(stretches(story)).toEqual([
      { by: 'writer', text: 'Once upon a time' },
      { by: 'model', text: ', there was a' },
    ]);
  });

  test('keeps the tokens that an edit does not touch', () => {
    const changed = edit(story, 'Once upon a time, there is a');
    expect(textOf(changed)).toBe('Once upon a time, there is a');
    expect(changed.filter((span) => span.token).map((span) => span.text)).toEqual([',', ' there', ' a']);
    expect(stretches(changed).map(({ by, text }) => `${by}:${text}`)).toEqual([
      'writer:Once upon a time',
      'model:, there',
      'writer: is',
      'model: a',
    ]);
  });

  test('goes on after the model in the hand of the writer', () => {
    const longer = edit(story, 'Once upon a time, there was a fox');
    expect(stretches(longer).at(-1)).toEqual({ by: 'writer', text: ' fox' });
    expect(longer.filter((span) => span.token)).toHaveLength(4);
  });

  test('loses what was cut out, at either end or in the middle', () => {
    expect(stretches(edit(story, 'time, there was a'))).toEqual([
      { by: 'writer', text: 'time' },
      { by: 'model', text: ', there was a' },
    ]);
    expect(stretches(edit(story, 'Once upon a time'))).toEqual([{ by: 'writer', text: 'Once upon a time' }]);
    expect(edit(story, '')).toEqual([]);
  });

  test('after any edit is the edited text, with every kept token where it was in it', () => {
    const letters = 'ab ';
    let seed = 7;
    const random = (below: number) => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      return Math.floor((seed / 2 ** 32) * below);
    };
    const word = () => Array.from({ length: random(4) }, () => letters[random(3)]).join('');
    let manuscript = completed('a b', 'a', ' b', 'ba', ' ');
    for (let round = 0; round < 500; round++) {
      const text = textOf(manuscript);
      const from = random(text.length + 1);
      const to = from + random(text.length - from + 1);
      const next = text.slice(0, from) + word() + text.slice(to);
      manuscript = append(edit(manuscript, next), { id: round, text: word(), logprob: 0 });
      expect(textOf(manuscript).startsWith(next)).toBe(true);
    }
  });
});
