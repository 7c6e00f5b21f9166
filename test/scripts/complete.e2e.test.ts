import { spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { readModelFile } from '../fixtures.ts';

const script = fileURLToPath(new URL('../../scripts/complete.mjs', import.meta.url));
const complete = (...args: string[]) => spawnSync(process.execPath, [script, ...args], { encoding: 'utf8' });

interface Reference {
  cases: { prompt: string; greedy_text: string; greedy_ids: number[] }[];
}

describe('npm run complete', () => {
  test.each(['cpu', 'webgpu'])('streams the reference completion on %s', async (device) => {
    const { cases } = JSON.parse(
      new TextDecoder().decode(await readModelFile('tiny-tales/reference.json')),
    ) as Reference;
    const { prompt, greedy_text, greedy_ids } = cases[0]!;
    const run = complete(prompt, '--device', device, '--max-new-tokens', String(greedy_ids.length));
    expect(run.stderr).toContain(`[${device}: `);
    expect(run.stdout).toBe(prompt + greedy_text);
    expect(run.status).toBe(0);
  });

  test.each([
    [['--tempreature', '1'], '--tempreature'],
    [['--seed', 'x'], '--seed wants a number'],
  ])('%j is refused with the usage', (args, message) => {
    const run = complete('Once', ...args);
    expect(run.stderr).toContain(message);
    expect(run.stderr).toContain('Usage: npm run complete');
    expect(run.status).toBe(1);
  });

  test('a missing model is a sentence, not a stack', () => {
    const run = complete('Once', '--model', './no-such-model/');
    expect(run.stderr).toContain('no-such-model');
    expect(run.stderr).not.toContain('    at ');
    expect(run.status).toBe(1);
  });

  test.skipIf(process.platform === 'win32')('Ctrl-C ends it cleanly', async () => {
    const run = spawn(process.execPath, [script, 'Once upon a time', '--max-new-tokens', '200']);
    let output = '';
    let errors = '';
    let interrupted = false;
    run.stderr.on('data', (bytes) => {
      errors += bytes;
    });
    run.stdout.on('data', (bytes) => {
      output += bytes;
      // Once: a second Ctrl-C ends it at once, and not cleanly.
      if (output.length > 40 && !interrupted) interrupted = run.kill('SIGINT');
    });
    const code = await new Promise((resolve) => run.on('close', resolve));
    expect(code).toBe(130);
    expect(errors).not.toContain('    at ');
    expect(output.startsWith('Once upon a time')).toBe(true);
  });
});
