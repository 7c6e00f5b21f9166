import { readFile } from 'node:fs/promises';
import { afterAll, expect, test } from 'vitest';
import * as vitrine from '../src/index.ts';

const model = await vitrine.load(new URL('../public/models/tiny-tales/', import.meta.url).href, { device: 'wasm' });
afterAll(() => model.dispose());

/** The fenced examples of a page, in order. */
async function examples(page: string): Promise<string[]> {
  const text = await readFile(new URL(`../docs/${page}`, import.meta.url), 'utf8');
  return [...text.matchAll(/```js\n([\s\S]*?)```/g)].map(([, code]) => code!);
}

const AsyncFunction = (async () => {}).constructor as new (
  ...args: string[]
) => (...values: unknown[]) => Promise<void>;

test.each(['tracing.md', 'decoding.md', 'tokenizer.md'])('the examples of docs/%s run', async (page) => {
  const found = await examples(page);
  expect(found.length).toBeGreaterThan(0);
  for (const code of found) {
    const body = code.replace(/^import (\{[^}]*\}) from 'vitrine';$/gm, 'const $1 = vitrine;');
    const lines: unknown[][] = [];
    const console = { log: (...values: unknown[]) => lines.push(values) };
    await new AsyncFunction('vitrine', 'model', 'console', body)(vitrine, model, console);
    expect(lines.length, code).toBeGreaterThan(0);
    expect(lines.flat(), code).not.toContain(undefined);
  }
});
