import { afterAll, describe, expect, test } from 'vitest';
import type { Model } from '../../src/run/model.ts';
import { sharedDevice } from '../backends.ts';
import { openFixture } from './models.ts';
import { type WatchedDevice, watchedDevice } from './watched-device.ts';

// One row a submit, so that a text's reading has many and the kernels for many rows are not compiled.
const oneRow = 1;
const watched = watchedDevice(await sharedDevice());
const model = await openFixture('tiny-gpt2', { device: watched.device }, oneRow);
/** Of the same device; nothing that is done to the other one is done to it. */
const untouched = await openFixture('tiny-gpt2', { device: watched.device }, oneRow);
const ids = (length: number, seed = 1) => Array.from({ length }, (_, i) => (i * 29 + seed * 71) % 1000);
const free = { eosTokenId: null, maxNewTokens: 4 };
const processed = { ...free, logitsProcessors: [() => {}] };
afterAll(() => {
  model.dispose();
  untouched.dispose();
});

/** What is asked of a model, each in a way of its own; texts of different seeds share nothing that a cache could hold. */
const calls: [string, (of: Model, signal?: AbortSignal, seed?: number) => Promise<unknown>][] = [
  ['complete', async (of, signal, seed) => (await of.complete(ids(24, seed), { ...free, signal })).ids],
  ['processors', async (of, signal, seed) => (await of.complete(ids(25, seed), { ...processed, signal })).ids],
  ['beams', async (of, signal, seed) => (await of.complete(ids(26, seed), { ...free, numBeams: 2, signal })).ids],
  ['edits', async (of, signal, seed) => (await of.complete(ids(27, seed), { ...free, edits, signal })).ids],
  ['logits', async (of, signal, seed) => [...(await of.logits(ids(28, seed), { signal })).data]],
  ['score', async (of, signal, seed) => (await of.score(ids(29, seed), { signal })).logprobs],
  [
    'trace',
    async (of, signal, seed) => [...(await of.trace(ids(20, seed), { capture, signal })).get(capture[0]!)!.data],
  ],
  ['weight', async (of, signal) => [...(await of.weight('wte.weight', { signal })).data]],
  ['profile', async (of, signal, seed) => (await of.profile(ids(30, seed), { repeats: 1, signal })).steps.length],
];
const edits = [{ name: 'blocks.0.hook_mlp_out', scale: 0.5 }];
const capture = ['blocks.0.attn.hook_pattern'];

/** At the nth submit from now. */
const atSubmit = (device: WatchedDevice, n: number, act: () => void) => {
  const target = device.submits + n;
  device.onSubmit = (count) => {
    if (count === target) act();
  };
};

const settled = () =>
  watched.device.queue.onSubmittedWorkDone().then(() => new Promise((done) => setTimeout(done, 20)));

describe('an abort while the GPU works', () => {
  let seed = 1; // of a text that nothing is held of
  test.each(calls)(
    '%s ends with the reason, nothing more is submitted, and nothing is wrong afterwards',
    async (name, call) => {
      const reason = new Error('enough');
      await call(model); // the first use of a program copies weights too
      // A weight of 1,000 rows is one submit.
      for (const n of name === 'weight' ? [1] : [1, 11]) {
        const abort = new AbortController();
        let atAbort = 0;
        atSubmit(watched, n, () => {
          abort.abort(reason);
          atAbort = watched.submits;
        });
        await expect(call(model, abort.signal, ++seed), `at submit ${n}`).rejects.toBe(reason);
        await settled();
        expect(atAbort).toBeGreaterThan(0);
        expect(watched.submits - atAbort, 'submits after the abort').toBeLessThanOrEqual(2);
      }
      watched.onSubmit = () => {};
      const found = await call(model);
      const fresh = await openFixture('tiny-gpt2', { device: watched.device }, oneRow);
      expect(found).toEqual(await call(fresh));
      fresh.dispose();
    },
  );

  test('no more than two chunks that nothing is read of wait on the device', async () => {
    let done = 0;
    let most = 0;
    const begun = watched.submits;
    watched.onSubmit = (count) => {
      most = Math.max(most, count - begun - done);
      void watched.device.queue.onSubmittedWorkDone().then(() => done++);
    };
    await model.logits(ids(60, 9));
    watched.onSubmit = () => {};
    expect(watched.submits - begun).toBe(60);
    // One more may have ended without its promise having been heard yet.
    expect(most).toBeLessThanOrEqual(3);
  });

  test('a generator that was waited for rejects, and is done then', async () => {
    const abort = new AbortController();
    const tokens = model.generate(ids(50, 3), { ...free, signal: abort.signal });
    atSubmit(watched, 3, () => abort.abort('enough'));
    await expect(tokens.next()).rejects.toBe('enough');
    expect(await tokens.next()).toEqual({ value: undefined, done: true });
    watched.onSubmit = () => {};
  });
});

describe('what ends beside what goes on', () => {
  test('loops that are left, a model that is disposed: only what was disposed says so', async () => {
    const expected = (await model.complete(ids(30), { ...free, maxNewTokens: 20 })).ids;
    for (const n of [1, 9, 33]) {
      const other = await openFixture('tiny-gpt2', { device: watched.device }, oneRow);
      const left = async () => {
        for await (const token of other.generate(ids(12), free)) if (token.index === 1) break;
      };
      await Promise.all([left(), left()]);
      atSubmit(watched, n, () => other.dispose());
      const jobs = calls.map(([, call]) => call(other));
      const going = model.complete(ids(30), { ...free, maxNewTokens: 20 });
      for (const job of await Promise.allSettled(jobs)) {
        if (job.status === 'rejected') expect(job.reason).toMatchObject({ code: 'disposed' });
      }
      expect((await going).ids).toEqual(expected);
      await expect(other.logits([1])).rejects.toMatchObject({ code: 'disposed' });
    }
    watched.onSubmit = () => {};
    await settled();
  });

  test('a generation that waits between two tokens of a model that is gone', async () => {
    const other = await openFixture('tiny-gpt2', { device: watched.device }, oneRow);
    const tokens = other.generate(ids(5), { ...free, maxNewTokens: 40 });
    for (let i = 0; i < 3; i++) await tokens.next();
    other.dispose();
    await expect(tokens.next()).rejects.toMatchObject({ code: 'disposed' });
    await settled();
  });
});

describe('a GPU without room', () => {
  const complete = async (of: Model) => (await of.complete(ids(9), free)).ids;
  const beams = async (of: Model) => (await of.complete(ids(9), { ...free, numBeams: 2 })).ids;
  const cases: [string, (of: Model) => Promise<unknown>][] = [
    ['keys of cache.0', complete],
    ['sampler: counts', complete],
    ['token scores', async (of) => (await of.score(ids(9))).logprobs],
    ['readback', async (of) => [...(await of.logits(ids(9))).data]],
    ['moved slots', beams],
  ];

  test('says so with what was wanted, whatever it was wanted for; with room again it works', async () => {
    const full = watchedDevice(await sharedDevice());
    full.full = (label) => label === 'vectors'; // the first program is made while the model is loaded
    const open = openFixture('tiny-gpt2', { device: full.device }, oneRow);
    await expect(open).rejects.toMatchObject({ code: 'out-of-memory', message: expect.stringMatching(/\d/) });
    full.full = () => false;
    const used = await openFixture('tiny-gpt2', { device: full.device }, oneRow);
    for (const [label, call] of cases) {
      full.refused = [];
      full.full = (wanted) => wanted === label;
      await expect(call(used), label).rejects.toMatchObject({
        code: 'out-of-memory',
        message: expect.stringMatching(/\d/),
      });
      expect(full.refused.length, `${label} is tried twice`).toBeGreaterThanOrEqual(2);
    }
    full.full = () => false;
    for (const [label, call] of cases) expect(await call(used), label).toEqual(await call(untouched));

    // Once is none: idle sessions go, and what was asked for comes.
    full.refused = [];
    full.full = (label) => label === 'moved slots' && full.refused.length === 0;
    used.dispose();
    const again = await openFixture('tiny-gpt2', { device: full.device }, oneRow);
    await complete(again);
    expect(await beams(again)).toEqual(await beams(untouched));
    expect(full.refused).toEqual(['moved slots']);
    expect((await again.complete(ids(9), free)).usage.cached).toBe(0);
    again.dispose();
  });
});
