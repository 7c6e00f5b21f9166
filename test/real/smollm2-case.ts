import { expect, test } from 'vitest';
import { load } from '../../src/run/load.ts';
import type { LoadOptions } from '../../src/run/loading.ts';
import type { Model } from '../../src/run/model.ts';
import { expectClose } from '../close.ts';
import { expectedOfSmolLm2, folderOf, smollm2, tensorsOfSmolLm2 } from './models.ts';

const { accept, cases, chats, passage } = await expectedOfSmolLm2();
const tensor = await tensorsOfSmolLm2();

/** Numbers of the cases and chats of the fixture. */
export interface Part {
  cases: readonly number[];
  chats: readonly number[];
  /** How many of the greedy ids are wanted. */
  greedy: number;
}

export const whole: Part = { cases: [...cases.keys()], chats: [...chats.keys()], greedy: 48 };

export const openSmolLm2 = (options: LoadOptions): Promise<Model> =>
  load(folderOf(smollm2), { contextLength: 512, ...options });

/** The ids up to where two tokens are as good as each other. */
function sure(greedy: readonly number[], margins: readonly number[], most: number): number[] {
  const close = margins.findIndex((margin) => margin < 5e-3);
  return greedy.slice(0, Math.min(most, close < 0 ? greedy.length : close));
}

/** Logits, log-probabilities, greedy texts and answers of a model in f32. */
export function testSmolLm2(model: () => Model, { cases: wanted, chats: talks, greedy: most }: Part): void {
  test.each(wanted)('case %i', async (i) => {
    const { ids, logits, nll, greedy, margins } = cases[i]!;
    const { data } = await model().logits(ids);
    expectClose(data, tensor(logits).data, { absolute: accept.logits }, 'logits');
    const { logprobs } = await model().score(ids);
    expectClose(
      logprobs.slice(1).map((one) => -one!),
      nll,
      { absolute: accept.nll },
      'nll',
    );
    const expected = sure(greedy, margins, most);
    if (expected.length > 0) {
      const found = await model().complete(ids, { maxNewTokens: expected.length });
      expect(found.ids).toEqual(expected);
    }
  });

  test.each(talks)('chat %i', async (i) => {
    const { messages, ids, greedy, margins, reply } = chats[i]!;
    const expected = sure(greedy, margins, most);
    const found: number[] = [];
    const tokens = model().chat(messages, { maxNewTokens: expected.length });
    for (;;) {
      const next = await tokens.next();
      if (next.done) {
        expect(next.value.usage.prompt).toBe(ids.length);
        if (expected.length === greedy.length) expect(next.value.text).toBe(reply);
        break;
      }
      found.push(next.value.id);
    }
    expect(found).toEqual(expected);
  });
}

/** Perplexity of the passage by its expected log-probabilities. */
export const expectedPerplexity = Math.exp(passage.nll.reduce((a, b) => a + b, 0) / passage.nll.length);
export const passageIds = passage.ids;
