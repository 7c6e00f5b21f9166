import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
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
});
