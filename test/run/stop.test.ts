import { expect, test } from 'vitest';
import { StopStrings } from '../../src/run/stop.ts';
import { seeded } from '../ops/mini-plan.ts';

/** What is shown of a text that comes in pieces, piece by piece. */
function shown(stops: string[], pieces: string[]): { shown: string[]; stopped: boolean } {
  const watch = new StopStrings(stops);
  const shown = pieces.map((piece) => watch.push(piece));
  return { shown: [...shown, watch.flush()], stopped: watch.stopped };
}

test('text that could be the beginning of a stop string waits', () => {
  expect(shown(['abc'], ['xa', 'b', 'd'])).toEqual({ shown: ['x', '', 'abd', ''], stopped: false });
  expect(shown(['abc'], ['xa', 'b', 'c more', 'z'])).toEqual({ shown: ['x', '', '', '', ''], stopped: true });
  expect(shown(['abc'], ['xab'])).toEqual({ shown: ['x', 'ab'], stopped: false });
});

test('a beginning within a beginning', () => {
  expect(shown(['aab'], ['a', 'a', 'a', 'b'])).toEqual({ shown: ['', '', 'a', '', ''], stopped: true });
  expect(shown(['abac'], ['aba', 'bac'])).toEqual({ shown: ['', 'ab', ''], stopped: true });
});

test('of several stop strings the earliest in the text', () => {
  expect(shown(['cd', 'bcde'], ['abcdef'])).toEqual({ shown: ['a', ''], stopped: true });
  expect(shown(['bcde', 'cd'], ['ab', 'c', 'd'])).toEqual({ shown: ['a', '', 'b', ''], stopped: true });
  expect(shown(['\n\n', '\n'], ['a\n', '\n'])).toEqual({ shown: ['a', '', ''], stopped: true });
});

test('whatever the pieces: nothing of a stop string is shown, and nothing else is kept', () => {
  const next = seeded(11);
  const pick = (n: number) => Math.floor(((next() + 1) / 2) * n);
  const word = (longest: number) =>
    Array.from({ length: 1 + pick(longest) }, () => ['a', 'b', '\u00e9', '\u{1F600}'][pick(4)]!).join('');
  for (let round = 0; round < 3000; round++) {
    const stops = Array.from({ length: 1 + pick(3) }, () => word(4));
    const pieces = Array.from({ length: pick(8) }, () => word(3));
    const watch = new StopStrings(stops);
    let text = '';
    let expected = '';
    for (const piece of pieces) {
      if (watch.stopped) break;
      expected += piece;
      text += watch.push(piece);
      const ends = stops.map((stop) => expected.indexOf(stop)).filter((at) => at >= 0);
      expect(watch.stopped).toBe(ends.length > 0);
      if (watch.stopped) expected = expected.slice(0, Math.min(...ends));
      expect(expected.startsWith(text)).toBe(true);
    }
    expect(text + watch.flush()).toBe(expected);
  }
});
