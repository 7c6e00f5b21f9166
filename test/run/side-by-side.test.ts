import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { newTask } from '../../src/plan/task.ts';
import type { Model } from '../../src/run/model.ts';
import { Session } from '../../src/run/session.ts';
import { openFixture } from './models.ts';

describe.each(['cpu', 'wasm'] as const)('prompts side by side on %s', (device) => {
  let model: Model;
  beforeAll(async () => {
    model = await openFixture('tiny-gpt2', { device, dtype: 'f32' }, 16);
  });
  afterAll(() => model.dispose());
  const prompts = [[1, 2, 3], [7], [4, 5, 6, 8, 9, 10, 11, 12], [3, 3], [20, 21, 22, 23]];

  test.each([{ temperature: 0 }, { temperature: 0.9, topK: 20, seed: 5 }, { repetitionPenalty: 1.3, temperature: 0 }])(
    'give what each gives alone, in their order: %j',
    async (options) => {
      const settings = { maxNewTokens: 6, topLogprobs: 2, ...options };
      const together = await model.complete(prompts, settings);
      for (const [i, prompt] of prompts.entries()) {
        const { ids, text, finishReason, usage } = await model.complete(prompt, settings);
        expect(together[i]).toMatchObject({ ids, text, finishReason });
        expect(together[i]!.usage.prompt).toBe(usage.prompt);
        expect(together[i]!.top).toHaveLength(ids.length);
      }
    },
  );

  test('share runs, whatever their lengths; more of them than are worked on at once take turns', async () => {
    const run = vi.spyOn(Session.prototype, 'run');
    const many = Array.from({ length: 40 }, (_, i) => Array.from({ length: 1 + (i % 7) }, (_, j) => 1 + i + j));
    const found = await model.complete(many, { maxNewTokens: 3, temperature: 0 });
    expect(run.mock.calls.length).toBeLessThanOrEqual(16);
    run.mockRestore();
    expect(found.map(({ ids }) => ids.length)).toEqual(many.map(() => 3));
    expect(found[39]!.ids).toEqual((await model.complete(many[39]!, { maxNewTokens: 3, temperature: 0 })).ids);
  });

  test('a long prompt is run in pieces between the tokens of the others', async () => {
    const rows: number[] = [];
    const run = vi.spyOn(Session.prototype, 'run').mockImplementation(function (this: Session, batch, signal) {
      rows.push(batch.rows.length);
      return Object.getPrototypeOf(Session.prototype).run.call(this, batch, signal);
    });
    const long = Array.from({ length: 40 }, (_, i) => i + 1);
    await model.complete([[1], long, [2, 3]], { maxNewTokens: 2, temperature: 0 });
    run.mockRestore();
    expect(Math.max(...rows)).toBe(16);
  });

  test('what has a plan or beams of its own is done by itself', async () => {
    const [one] = await model.complete([[1, 2], [3]], { maxNewTokens: 3, numBeams: 2 });
    expect(one).toMatchObject({ ids: (await model.complete([1, 2], { maxNewTokens: 3, numBeams: 2 })).ids });
  });

  test('a signal that is none, and options that are no object, are refused as of one prompt', async () => {
    for (const options of [{ signal: 'now' }, null, 5, []]) {
      await expect(model.complete([[1], [2]], options as object)).rejects.toMatchObject({ code: 'bad-option' });
    }
  });

  test('a prompt that does not fit fails before anything runs; an abort ends all with its reason', async () => {
    const long = Array.from({ length: model.device.context + 1 }, () => 1);
    await expect(model.complete([[1], long], { maxNewTokens: 2 })).rejects.toThrow(/The prompt has \d+ tokens/);
    const stop = new AbortController();
    const reason = new Error('enough');
    const found = model.complete(prompts, { maxNewTokens: 8, signal: stop.signal });
    stop.abort(reason);
    await expect(found).rejects.toBe(reason);
    await expect(model.complete([['no'] as unknown as number[]])).rejects.toMatchObject({ code: 'bad-option' });
  });

  describe('calls at the same time', () => {
    const settings = { maxNewTokens: 6, temperature: 0 };
    /** Rows of each run, by whichever session. */
    function watchRuns() {
      const rows: number[] = [];
      const spy = vi.spyOn(Session.prototype, 'run').mockImplementation(function (this: Session, batch, signal) {
        rows.push(batch.rows.length);
        return Object.getPrototypeOf(Session.prototype).run.call(this, batch, signal);
      });
      return { rows, end: () => spy.mockRestore() };
    }

    test('share runs, and each is what it is alone', async () => {
      const alone = [];
      for (const prompt of prompts) alone.push(await model.complete(prompt, settings));
      const watched = watchRuns();
      const found = await Promise.all(prompts.map((prompt) => model.complete(prompt, settings)));
      watched.end();
      expect(found.map(({ ids, text, finishReason }) => ({ ids, text, finishReason }))).toEqual(
        alone.map(({ ids, text, finishReason }) => ({ ids, text, finishReason })),
      );
      expect(watched.rows.length).toBeLessThan(10);
      expect(watched.rows.filter((rows) => rows === prompts.length).length).toBeGreaterThan(2);
    });

    test('share runs, too, where they may write on to the end of the context', async () => {
      const settings = { maxNewTokens: 2 * model.device.context, temperature: 0 };
      const alone = await model.complete([1, 2, 3], settings);
      const watched = watchRuns();
      const [found] = await Promise.all([model.complete([1, 2, 3], settings), model.complete([7], settings)]);
      watched.end();
      expect(found!.ids).toEqual(alone.ids);
      expect(watched.rows.filter((rows) => rows === 2).length).toBeGreaterThan(10);
    });

    test('who was alone goes on with those who come later', async () => {
      const long = { ...settings, maxNewTokens: 20 };
      const expected = [await model.complete([1, 2, 3], long), await model.complete([9, 8], settings)];
      const watched = watchRuns();
      const first = model.generate([1, 2, 3], long);
      for (let i = 0; i < 4; i++) await first.next();
      const later = model.complete([9, 8], settings);
      const ids = expected[0]!.ids.slice(0, 4);
      for await (const token of first) ids.push(token.id);
      expect(ids).toEqual(expected[0]!.ids);
      expect((await later).ids).toEqual(expected[1]!.ids);
      watched.end();
      expect(watched.rows.filter((rows) => rows === 2).length).toBeGreaterThan(2);
    });

    test('an abort of one, at any token, touches none of the others', async () => {
      const expected = await model.complete(prompts[0]!, settings);
      for (let at = 0; at < 4; at++) {
        const stop = new AbortController();
        const reason = new Error(`enough at ${at}`);
        const ended = (async () => {
          let tokens = 0;
          if (at === 0) stop.abort(reason);
          for await (const _ of model.generate(prompts[2]!, { ...settings, signal: stop.signal })) {
            if (++tokens === at) stop.abort(reason);
          }
        })();
        ended.catch(() => {});
        const others = await Promise.all([0, 1, 2].map(() => model.complete(prompts[0]!, settings)));
        await expect(ended).rejects.toBe(reason);
        for (const other of others) expect(other.ids).toEqual(expected.ids);
      }
    });

    test('who leaves early, or falls behind, keeps nobody from going on', async () => {
      const expected = await model.complete(prompts[0]!, settings);
      const idle = model.generate(prompts[1]!, settings);
      const leaving = model.generate(prompts[2]!, settings);
      const others = [0, 1].map(() => model.complete(prompts[0]!, settings));
      await Promise.all([idle.next(), leaving.next()]);
      await leaving.return(undefined as never);
      for (const other of others) expect((await other).ids).toEqual(expected.ids);
      const rest = [];
      for await (const { id } of idle) rest.push(id);
      expect(rest).toEqual((await model.complete(prompts[1]!, settings)).ids.slice(1));
    });

    test('an error of one is its own', async () => {
      const expected = await model.complete(prompts[0]!, settings);
      const broken = model.complete(prompts[1]!, {
        ...settings,
        logitsProcessors: [
          () => {
            throw new Error('mine');
          },
        ],
      });
      const other = model.complete(prompts[0]!, settings);
      await expect(broken).rejects.toThrow('mine');
      expect((await other).ids).toEqual(expected.ids);
    });

    test('a model that is disposed ends all', async () => {
      const one = await openFixture('tiny-gpt2', { device, dtype: 'f32' }, 16);
      const calls = prompts.map((prompt) => one.complete(prompt, { ...settings, maxNewTokens: 40 }));
      const ends = Promise.allSettled(calls);
      await newTask();
      await newTask();
      one.dispose();
      for (const end of await ends) expect(end).toMatchObject({ status: 'rejected', reason: { code: 'disposed' } });
    });
  });
});
