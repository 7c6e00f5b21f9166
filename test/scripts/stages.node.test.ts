import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');
const names = (file: string, pattern: RegExp) =>
  [...readFileSync(join(root, file), 'utf8').matchAll(pattern)].map(([, name]) => name);

test('every project of Vitest is a stage of npm test', () => {
  const projects = new Set(names('vitest.config.ts', /\bname: '(\w+)'/g));
  expect(projects.size).toBeGreaterThan(4);
  const [, whole] = readFileSync(join(root, 'scripts/test.mjs'), 'utf8').split('...builds.slice(0, 1)');
  const stages = [...whole!.matchAll(/\{ project: '(\w+)'/g)].map(([, name]) => name);
  expect(new Set(stages)).toEqual(projects);
});
