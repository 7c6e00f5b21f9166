import { spawn } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { complete, expectReference, script } from './complete.ts';

describe('npm run complete', () => {
  // On WebGPU in test:full: a process of its own compiles everything.
  test('streams the reference completion on cpu', () => expectReference('cpu'));

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
