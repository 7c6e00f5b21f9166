import { describe, expect, test } from 'vitest';
import {
  appended,
  beforeCompletion,
  begun,
  branchedAt,
  branchRows,
  moved,
  opened,
  present,
  pushed,
  replaced,
  showing,
  textIn,
  typed,
} from '../../src/page/state/document.ts';

const token = (text: string, id = 1) => ({ id, text, logprob: -1 });

describe('a document', () => {
  test('branches where another token is taken, keeps both ways, and is never changed itself', () => {
    const first = opened('The cat sat');
    const branched = branchedAt(first, 7, token(' ran'));
    expect(textIn(branched)).toBe('The cat ran');
    expect(textIn(first)).toBe('The cat sat');
    const back = showing(branched, 0);
    expect(textIn(back)).toBe('The cat sat');
    expect(branchRows(back).map(({ depth, departs }) => [depth, departs])).toEqual([
      [0, 'The cat sat'],
      [1, ' ran'],
    ]);
    expect(textIn(typed(back, 'The cat sat down'))).toBe('The cat sat down');
    expect(textIn(showing(typed(back, 'A'), 1))).toBe('The cat ran');
    expect(showing(back, 9)).toBe(back);
  });

  test('goes back and forth through its history; what is pushed drops what was undone, what is replaced does not', () => {
    let history = begun(opened('a'));
    history = pushed(history, typed(present(history), 'ab'));
    history = pushed(history, appended(present(history), [token('c')], 'completed'));
    expect(textIn(beforeCompletion(history))).toBe('ab');
    history = moved(history, -1);
    expect(textIn(present(history))).toBe('ab');
    expect(textIn(beforeCompletion(history))).toBe('ab');
    expect(textIn(present(moved(replaced(history, typed(present(history), 'abx')), 1)))).toBe('abc');
    const other = pushed(history, typed(present(history), 'abd'));
    expect(textIn(present(moved(other, 1)))).toBe('abd');
    expect(textIn(present(moved(other, -5)))).toBe('a');
  });

  test('keeps a hundred steps back, however long it is written on', () => {
    let history = begun(opened(''));
    for (let i = 0; i < 250; i++) history = pushed(history, typed(present(history), `${i}`));
    expect(textIn(present(history))).toBe('249');
    expect(textIn(present(moved(history, -100)))).toBe('149');
    expect(textIn(present(moved(history, -200)))).toBe('149');
  });
});
