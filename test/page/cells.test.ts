import { expect, test } from 'vitest';
import { cellPaths } from '../../src/page/inside/take/cells.ts';

const [red, blue, faint, clear] = [
  [255, 0, 0, 255],
  [0, 0, 255, 255],
  [0, 0, 0, 128],
  [0, 0, 0, 0],
];

test('pixels become a path for each colour, stretches of a row together; none goes on in the next row', () => {
  const rows = [
    [red, red, blue],
    [blue, clear, red],
  ];
  expect(cellPaths(rows.flat(2), 3)).toBe(
    '<path fill="#ff0000" d="M0 0h2v1h-2zM2 1h1v1h-1z"/><path fill="#0000ff" d="M2 0h1v1h-1zM0 1h1v1h-1z"/>',
  );
  expect(cellPaths([...faint!, ...faint!], 1)).toBe('<path fill="#00000080" d="M0 0h1v1h-1zM0 1h1v1h-1z"/>');
  expect(cellPaths(clear!, 1)).toBe('');
});
