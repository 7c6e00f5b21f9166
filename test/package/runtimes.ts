import { spawnSync } from 'node:child_process';
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { load } from '../../src/index.ts';
import { pack, project, root } from './packed.ts';

const tiny = join(root, 'test/fixtures/tiny-gpt2/');

/** Tests of the packed worker in runtimes, each a command to be put before the script; `packages` are those that bring them. */
export async function worksIn(runtimes: Record<string, (bin: string) => string[]>, packages: readonly string[]) {
  const packed = pack();
  const folder = project(packed, packages, 'runtimes');
  afterAll(() => {
    packed.close();
    if (folder) rmSync(folder, { recursive: true });
  });
  if (folder) cpSync(join(root, 'test/package/in-worker.mjs'), join(folder, 'in-worker.mjs'));
  const here = await load(tiny, { device: 'cpu' });
  const { ids } = await here.complete('The sea', { maxNewTokens: 6 });
  here.dispose();

  const cases = Object.entries(runtimes).flatMap(([name, command]) =>
    (['cpu', 'wasm'] as const).map((device) => ({ name, device, command })),
  );
  test.for(cases)('EngineWorker in $name, on $device', ({ device, command }, { skip }) => {
    if (!folder) return skip();
    const [program = '', ...args] = command(join(folder, 'node_modules/.bin'));
    const ran = spawnSync(program, [...args, 'in-worker.mjs', tiny, device], {
      cwd: folder,
      encoding: 'utf8',
      timeout: 120_000,
    });
    expect(ran.stderr).toBe('');
    expect(JSON.parse(ran.stdout)).toEqual({
      kind: device,
      threads: device === 'cpu' ? 1 : expect.any(Number),
      ids,
      aborted: true,
      embedded: [ids.length, 96],
      absent: [true, 'bad-checkpoint'],
      broken: 'bad-option',
      gone: 'disposed',
    });
    expect(ran.status).toBe(0);
  });
}
