import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { complete, expectReference, script } from './complete.ts';

describe('npm run complete', () => {
  // On WebGPU in test:full: a process of its own compiles everything.
  test('streams the reference completion on cpu', () => expectReference('cpu'));

  const models = fileURLToPath(new URL('../../public/models/', import.meta.url));
  const vit = fileURLToPath(new URL('../fixtures/families/vit/', import.meta.url));
  test.each([
    [
      'fill-mask',
      `${models}tiny-blanks`,
      ['the cat sat on the [MASK] .', '--top-k', '2'],
      /^0\.\d{4} {2}.+\n0\.\d{4} {2}.+\n$/,
    ],
    ['translation', `${models}tiny-translate`, ['the dog sleeps .', '--max-new-tokens', '12'], /^\S.*\n$/],
    ['text2text-generation', `${models}tiny-tasks`, ['reverse: a b c', '--max-new-tokens', '12'], /^\S.*\n$/],
    ['image-classification', vit, [`${vit}image0.png`, '--top-k', '1'], /^0\.7025 {2}boat\n$/],
    ['image-feature-extraction', vit, [`${vit}image0.png`], /^\[1,26,48\]\n\[-?\d/],
  ])('does the task %s', (task, model, args, expected) => {
    const run = complete('--model', model, '--task', task, ...args);
    expect(run.stderr).toContain(`; ${task}]`);
    expect(run.stdout).toMatch(expected);
    expect(run.status).toBe(0);
  });

  test.each([
    [['--model', `${models}tiny-blanks`], 'This model (bert) is for --task fill-mask.'],
    [
      ['--model', `${models}tiny-digits`, '--task', 'fill-mask'],
      'This model (vit) is for --task image-classification.',
    ],
    [['--model', `${models}tiny-translate`], 'is for --task translation'],
    [['--model', `${models}tiny-tales`, '--task', 'fill-mask'], 'is for --task text-generation'],
    [['--model', `${models}tiny-blanks`, '--task', 'ocr'], 'There is no task "ocr"; expected one of'],
    [['--task', 'fill-mask'], 'wants a --model'],
    [['more', '--model', `${models}tiny-blanks`, '--task', 'fill-mask'], 'wants a text with a mask; 2 inputs'],
  ])('%j says the way out', (args, message) => {
    const run = complete('Once', ...args);
    expect(run.stderr).toContain(message);
    expect(run.stderr).not.toContain('    at ');
    expect(run.status).toBe(1);
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

  test.skipIf(process.platform === 'win32')('Ctrl-C ends it cleanly', () => {
    // From within: seen from here, so short a run is over before the signal comes.
    const interrupt = `let left = 40;
const { write } = process.stdout;
process.stdout.write = function (text) {
  if (left > 0 && (left -= text.length) <= 0) process.kill(process.pid, 'SIGINT');
  return write.call(this, text);
};`;
    const first = ['--import', `data:text/javascript,${encodeURIComponent(interrupt)}`, script];
    const run = spawnSync(process.execPath, [...first, 'Once upon a time', '--max-new-tokens', '200'], {
      encoding: 'utf8',
    });
    expect(run.status).toBe(130);
    expect(run.stderr).not.toContain('    at ');
    expect(run.stderr).not.toContain('200 tokens');
    expect(run.stdout.startsWith('Once upon a time')).toBe(true);
  });
});
