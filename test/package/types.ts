import { spawnSync } from 'node:child_process';
import { cpSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pack, project, root } from './packed.ts';

/** The oldest that works, what many have, and the newest. */
const compilers = ['5.4', '5.9', '7.0'] as const;
const packages = [
  ...compilers.map((version) => `ts-${version}@npm:typescript@~${version}.0`),
  ...['@types/node@20', '@webgpu/types@0.1', '@types/react@19'],
];

/** How users' projects are set up: module resolution, the library of the language, and the types of a platform. */
export const projects = [
  { moduleResolution: 'node16', module: 'node16', lib: ['ES2022', 'DOM'], types: ['node'] },
  { moduleResolution: 'nodenext', module: 'nodenext', lib: ['ES2022'], types: ['node'] },
  { moduleResolution: 'nodenext', module: 'nodenext', lib: ['ES2022'], types: [] },
  { moduleResolution: 'bundler', module: 'ESNext', lib: ['ES2022', 'DOM'], types: ['@webgpu/types', 'node'] },
];

/** Tests that a user's project compiles under these compilers, set up in some of these ways. */
export function compiles(wanted: Partial<Record<(typeof compilers)[number], typeof projects>>): void {
  const packed = pack();
  let folder: string | undefined;
  beforeAll(() => {
    folder = project(packed, packages, 'types');
    if (folder) cpSync(join(root, 'test/package/consumer.ts'), join(folder, 'consumer.ts'));
  });
  afterAll(() => {
    packed.close();
    if (folder) rmSync(folder, { recursive: true });
  });

  describe.each(Object.entries(wanted))("a user's project compiles with TypeScript %s", (version, some) => {
    test.for(some)('$moduleResolution, $lib, $types', (options, { skip }) => {
      if (!folder) return skip();
      // TypeScript's own DOM knows WebGPU by now, and @webgpu/types declares it again: that is no matter of ours.
      const twice = version === '7.0' && options.lib.includes('DOM') && options.types.includes('@webgpu/types');
      const own = {
        target: 'ES2022',
        strict: true,
        skipLibCheck: twice,
        noEmit: true,
        exactOptionalPropertyTypes: true,
      };
      const name = `tsconfig-${version}-${projects.indexOf(options)}.json`;
      writeFileSync(
        join(folder, name),
        JSON.stringify({ compilerOptions: { ...own, ...options }, files: ['consumer.ts'] }),
      );
      const tsc = join(folder, `node_modules/ts-${version}/bin/tsc`);
      const { stdout } = spawnSync(process.execPath, [tsc, '-p', name], { cwd: folder, encoding: 'utf8' });
      expect(stdout).toBe('');
    });
  });
}
