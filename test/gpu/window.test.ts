import { expect, test } from 'vitest';
import type { Drawn, DrawSettings } from '../../src/plan/backend.ts';
import { backends, isFull } from '../backends.ts';
import { openFamily } from '../model/families.ts';

const [cpu, gpu] = ['cpu', 'webgpu'].map((name) => backends.find((one) => one.name === name)!);
const settings: DrawSettings = {
  ...{ temperature: 0, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1, frequencyPenalty: 0, presencePenalty: 0 },
  ...{ logitBias: new Map(), seed: [0, 0], sequence: 0, topLogprobs: 0, ends: [] },
};
const prompt = [5, 90, 31, 44, 7];
/** Far beyond the windows, of 6 and of 7 keys. */
const count = 40;

test.each(isFull ? ['qwen3-window', 'mistral-window'] : ['qwen3-window'])(
  '%s: a window slides as the device draws token after token',
  async (folder) => {
    const [reference, drawing] = await Promise.all([cpu!, gpu!].map((one) => openFamily(one, folder, 'decoder')));
    const size = { slots: 1, context: 64, rows: 8, logitRows: 1 };
    const row = (token: number, position: number) => ({ token, position, slot: 0 });
    const slow = await (await reference!.engine.backend()).program(reference!.engine.plan, size);
    const program = await (await drawing!.engine.backend()).program(drawing!.engine.plan, size);
    const drawn: Drawn[] = [];
    const request = { rows: prompt.map(row), prompt, generated: [], limit: count, settings };
    for await (const some of program.decode!(request)) drawn.push(...some);
    let { logits } = await slow.run({ rows: prompt.map(row), logitRows: [prompt.length - 1] });
    const changes = new Set<string>();
    for (const [i, { id, logprob }] of drawn.entries()) {
      const best = logits.reduce((most, logit) => Math.max(most, logit));
      const sum = logits.reduce((sum, logit) => sum + Math.exp(logit - best), 0);
      expect(logits[id], `token ${i}`).toBe(best);
      expect(logprob, `token ${i}`).toBeCloseTo(-Math.log(sum), 4);
      changes.add(logprob.toFixed(3));
      ({ logits } = await slow.run({ rows: [row(id, prompt.length + i)], logitRows: [0] }));
    }
    expect(drawn).toHaveLength(count);
    // Were all the same, a window that stands still would not be told.
    expect(changes.size).toBeGreaterThan(5);
    for (const { engine } of [reference!, drawing!]) engine.dispose();
  },
);
