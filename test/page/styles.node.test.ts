import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const contents = (folder: string, end: string) =>
  readdirSync(`src/page/${folder}`, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith(end))
    .map((path) => readFileSync(`src/page/${folder}/${path}`, 'utf8'));

/** Classes that a folder's styles give something to by themselves, wherever they stand. */
function styled(folder: string): string[] {
  const rules = contents(folder, '.css')
    .join('\n')
    .replace(/\/\*.*?\*\//gs, '');
  return [...rules.matchAll(/([^{}]+)\{/g)]
    .flatMap(([, selectors]) => selectors!.split(','))
    .map((selector) => /^\.([\w-]+)$/.exec(selector.trim())?.[1])
    .filter((name) => name !== undefined);
}

const usedIn = (folder: string) =>
  new Set(
    [
      ...contents(folder, '.tsx')
        .join('\n')
        .matchAll(/class="([^"]+)"/g),
    ].flatMap(([, names]) => names!.split(' ')),
  );

test('green is what the model made: nothing is focused, pointed at or pressed in it', () => {
  const rules = contents('', '.css')
    .join('\n')
    .replace(/\/\*.*?\*\//gs, '')
    .matchAll(/([^{}]+)\{([^{}]*)\}/g);
  const wrong = [...rules].filter(
    ([, selector, body]) =>
      /--glass/.test(body!) && /:hover|:focus|\[aria-(pressed|checked|current)|\ba$/.test(selector!.trim()),
  );
  expect(wrong.map(([, selector]) => selector!.trim())).toEqual([]);
});

// Styles stay when a room is left: the opened model's own classes would look otherwise for who has been in one.
test.each(['rooms', 'chat', 'teach'])('the opened model has no class that %s styles', (folder) => {
  const names = styled(folder);
  expect(names.length).toBeGreaterThan(3);
  const used = usedIn('inside');
  expect(names.filter((name) => used.has(name))).toEqual([]);
});
