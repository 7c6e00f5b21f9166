import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';

const text = (path: string) => readFile(new URL(`../../${path}`, import.meta.url), 'utf8');
const plain = (code: string) => code.replace(/\s+/g, ' ');

test('the three plans of docs/design.md are lines of the families', async () => {
  const [, part] = /## Three plans side by side\n([\s\S]*?)\n## /.exec(await text('docs/design.md'))!;
  const rows = part!.split('\n').filter((line) => line.startsWith('| ') && line.includes('``'));
  const sources = await Promise.all(['gpt2', 'bert', 'marian'].map((name) => text(`src/model/${name}.ts`)));
  let quoted = 0;
  for (const row of rows) {
    const cells = row.split(' | ').slice(1);
    for (const [i, cell] of cells.entries()) {
      for (const [, code] of cell.matchAll(/``(.*?)``/g)) {
        const isThere = plain(sources[i]!).includes(plain(code!));
        expect(isThere, `${code} in ${['gpt2', 'bert', 'marian'][i]}`).toBe(true);
        quoted++;
      }
    }
  }
  expect(quoted).toBeGreaterThan(25);
});
