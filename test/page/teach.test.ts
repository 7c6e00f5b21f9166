import { describe, expect, it, test } from 'vitest';
import { load } from '../../src/index.ts';
import { gradients, type LeftOut } from '../../src/learn/index.ts';
import { dates } from '../../src/page/teach/dates.ts';
import { piecesOf } from '../../src/page/teach/pieces.ts';
import { agreeing, flattened } from '../../src/page/teach/points.ts';
import { sample } from '../../src/page/teach/sample.ts';
import { seededFiles, seededIds } from '../../src/page/teach/seeded.ts';
import { lineOf, readTable, split } from '../../src/page/teach/table.ts';

describe('a table of examples', () => {
  it('is the sample, without a complaint', () => {
    const { rows, classes, problems, hasHeader } = readTable(sample);
    expect({ rows: rows.length, problems, hasHeader }).toEqual({ rows: 72, problems: [], hasHeader: true });
    expect(classes).toEqual(['animals', 'food', 'weather'].map((label) => ({ label, count: 24 })));
    expect(rows.find(({ text }) => text.includes('monkey'))!.text).toBe('"Look at the monkey!" said Tom.');
  });

  const rowsOf = (text: string) => readTable(text).rows.map(({ text, label }) => [text, label]);

  it.each([
    ['commas', 'a b,x\nc d,y\n'],
    ['semicolons', 'a b;x\nc d;y'],
    ['tabs, and line ends of Windows', 'a b\tx\r\nc d\ty\r\n'],
    ['a mark at its beginning, a header and blank lines', '\uFEFFText,Label\n\na b,x\n  \nc d,y\n'],
    ['the class first, by the header', 'label,text\nx,a b\ny,c d\n'],
    ['quotes', '"a b",x\n"c d" , "y"\n'],
  ])('reads %s', (_, text) => {
    expect(rowsOf(text)).toEqual([
      ['a b', 'x'],
      ['c d', 'y'],
    ]);
  });

  it('takes the column with fewer different values as the class where no line names them', () => {
    expect(rowsOf('x,one\nx,two\ny,three\n')[2]).toEqual(['three', 'y']);
    expect(rowsOf('one,x\ntwo,x\nthree,y\n')[2]).toEqual(['three', 'y']);
  });

  it('reads pairs in the order in which they stand, whatever repeats, and the sample of dates', () => {
    const both = (text: string) => readTable(text, false).rows.map(({ text, label }) => [text, label]);
    expect(both('a,x\na,y\na,z\n')).toEqual([
      ['a', 'x'],
      ['a', 'y'],
      ['a', 'z'],
    ]);
    expect(both('target;source\nx;a\n')).toEqual([['a', 'x']]);
    const { rows, problems } = readTable(dates, false);
    expect({ rows: rows.length, problems }).toEqual({ rows: 48, problems: [] });
    expect(rows.every(({ label }) => /^\d\d\.\d\d\.\d{4}$/.test(label))).toBe(true);
  });

  it('keeps commas, quotes and line ends inside of quotes, and quotes that people write', () => {
    expect(rowsOf('"a, ""b""\nc",x\n"No," said Tom.,y\n')).toEqual([
      ['a, "b"\nc', 'x'],
      ['"No," said Tom.', 'y'],
    ]);
    expect(rowsOf(lineOf('a, "b"; c', 'x, y') + lineOf('d', 'z'))).toEqual([
      ['a, "b"; c', 'x, y'],
      ['d', 'z'],
    ]);
  });

  it('says which lines are left out, and why', () => {
    const { rows, problems } = readTable('text,label\na,x\nb\nc,d,x\n,x\ne,\na,x\nf,y\n"g,y\nh,y\n');
    expect(rows.map(({ text, line }) => [text, line])).toEqual([
      ['a', 2],
      ['f', 8],
    ]);
    expect(problems).toEqual([
      { line: 3, what: 'columns', count: 1 },
      { line: 4, what: 'columns', count: 3 },
      { line: 5, what: 'no-text' },
      { line: 6, what: 'no-class' },
      { line: 7, what: 'again' },
      { line: 9, what: 'open-quote' },
    ]);
  });

  it('of nothing has nothing', () => {
    for (const text of ['', '\n\n', '   ', 'text,label\n']) {
      expect(readTable(text)).toMatchObject({ rows: [], problems: [], classes: [] });
    }
  });

  it('is parted by class, each of them with some to learn from', () => {
    const { rows } = readTable(sample);
    const { learnt, judged } = split(rows, 0.25);
    expect([learnt.length, judged.length]).toEqual([54, 18]);
    for (const label of ['animals', 'food', 'weather'])
      expect(judged.filter((row) => row.label === label)).toHaveLength(6);
    expect([...learnt, ...judged].sort((a, b) => a.line - b.line)).toEqual(rows);
    expect(split(rows, 0).judged).toEqual([]);
    const few = readTable('a,x\nb,x\nc,y\n').rows;
    expect(split(few, 0.8).judged.map(({ text }) => text)).toEqual(['b']);
  });
});

describe('pieces of a text', () => {
  const model = (nCtx: number) => ({
    config: { nCtx },
    tokenizer: { encode: async (text: string) => [...text].map((_, i) => i) },
  });

  it('are its paragraphs, long ones cut where the model reads no more', async () => {
    const { pieces, tokens, all } = await piecesOf(model(11), 'one\r\n\r\n two\n \n\n123456789012345678901');
    expect(pieces.slice(0, 2)).toEqual([{ text: 'one' }, { text: 'two' }]);
    expect(pieces.slice(2).map((piece) => ('ids' in piece ? piece.ids.length : 0))).toEqual([10, 10]);
    expect([tokens, all]).toEqual([27, 27]);
  });

  it('are as many as can be learnt in some minutes', async () => {
    const { tokens, all } = await piecesOf(model(1000), 'x'.repeat(50_000));
    expect([tokens, all]).toEqual([12_000, 50_000]);
  });
});

describe('points', () => {
  it('lie by the two directions that part them most', () => {
    const vectors = [3, -3, 0, 0].map((x, i) => Float32Array.of(0, x, 0, i === 2 ? 1 : i === 3 ? -1 : 0));
    const places = flattened(vectors);
    expect(places.map(([x]) => Math.round(Math.abs(x) * 3))).toEqual([3, 3, 0, 0]);
    expect(places.map(([, y]) => Math.round(Math.abs(y) * 3))).toEqual([0, 0, 1, 1]);
    expect(flattened([Float32Array.of(1, 2)])).toEqual([[0, 0]]);
  });

  it('agree with their nearest neighbour, or not', () => {
    const vectors = [
      [1, 0],
      [2, 0.1],
      [0, 1],
      [0.9, 0.2],
    ].map((one) => Float32Array.from(one));
    expect(agreeing(vectors, ['a', 'a', 'b', 'b'], [0, 1, 2, 3])).toBe(3);
  });
});

test('an untaught model of twelve blocks: without norms gradients explode, without sums too they vanish', async () => {
  const model = await load(seededFiles(12), { device: 'wasm' });
  const wrt = ['blocks.0.hook_resid_pre', 'blocks.11.hook_resid_pre'];
  const sizeOf = (values: Float32Array) => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
  const ratio = async (without: LeftOut[]) => {
    const found = await gradients(model, seededIds, { loss: 'next-token', wrt, without });
    const [first, last] = wrt.map((name) => sizeOf(found.get(name).data));
    return first! / last!;
  };
  expect(await ratio([])).toBeLessThan(10);
  expect(await ratio(['norms'])).toBeGreaterThan(1e4);
  expect(await ratio(['residuals', 'norms'])).toBeLessThan(1e-2);
  model.dispose();
});
