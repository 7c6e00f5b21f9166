import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';

const script = fileURLToPath(new URL('../../scripts/check-rooms.mjs', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'vitrine-rooms-'));
afterAll(() => rmSync(folder, { recursive: true }));

function check(name: string, files: Record<string, string>) {
  const root = join(folder, name);
  for (const [path, text] of Object.entries({ 'shaders/add.wgsl': '', ...files })) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return spawnSync(process.execPath, [script, root], { encoding: 'utf8' });
}

test('imports downwards are in order', () => {
  const { status, stderr } = check('good', {
    'src/gpu/kernels/add.ts':
      "import wgsl from '../../../shaders/add.wgsl?raw';\nimport type { A } from '../../plan/a.ts';\n",
    'src/index.ts': "export { load } from './run/load.ts';\n",
    'src/page/main.tsx': "const worker = new URL('../embed/worker.ts', import.meta.url);\n",
  });
  expect(stderr).toBe('');
  expect(status).toBe(0);
});

test.each([
  ['src/gpu/a.ts', "import type { A } from '../cpu/a.ts';\n", 'gpu must not import cpu'],
  ['src/cpu/a.ts', "export * from '../model/a.ts';\n", 'cpu must not import model'],
  ['src/run/a.ts', "const a = await import('../index.ts');\n", 'run must not import index'],
  ['src/plan/a.ts', "import a from '../../shaders/add.wgsl?raw';\n", 'plan must not import shaders'],
  ['src/load/a.ts', "import a from '../../scripts/serve.mjs';\n", 'load must not import from outside'],
  ['src/utils/a.ts', '\n', 'src/utils is no room'],
  ['src/page/a.css', 'a {}\n'.repeat(401), '401 lines, more than 400'],
])('%s: %#', (path, text, problem) => {
  const { status, stderr } = check(`bad-${path.replaceAll('/', '-')}`, { [path]: text });
  expect(stderr).toContain(problem);
  expect(status).toBe(1);
});

test('files of a room import each other in no circle', () => {
  const files = {
    'src/plan/a.ts': "import type { B } from './b.ts';\n",
    'src/plan/b.ts': "export { c } from './c.ts';\n",
    'src/plan/c.ts': "import { a } from './a.ts';\n",
  };
  const { status, stderr } = check('circle', files);
  expect(stderr).toContain('A circle of imports: src/plan/a.ts -> src/plan/b.ts -> src/plan/c.ts -> src/plan/a.ts');
  expect(status).toBe(1);
});

test('the engine has a budget of lines', () => {
  const files = Object.fromEntries(
    Array.from({ length: 100 }, (_, i) => [`src/run/${i}.ts`, `// not counted\n\n${'f();\n'.repeat(440)}`]),
  );
  expect(check('long', files).stderr).toMatch(/engine has 44000 lines of code, more than \d+/);
});
