import { describe, expect, test } from 'vitest';
import { draw } from "../../src/run/candidates.ts";
import { distribution } from "../../src/run/sampling.ts";
import { optionsOf, optionsOf, readSampling, readSampling } from "./sampling-fixture.ts";

const { cases } = await readSampling();

describe.each(cases)('$name', ({ logits, prompt_ids: prompt, generated_ids: generated, settings, expected }) => {
  const floats = Float32Array.from(logits, (logit) => logit ?? Number.NEGATIVE_INFINITY);
  const history = { prompt, generated };
  const options = { temperature: 1, ...optionsOf(settings, prompt.length) };

  test('greedy id', () => {
    const probs = distribution(floats, { ...options, temperature: 0 }, history);
    expect(probs[expected.greedy_id]).toBe(1);
    expect(probs.reduce((a, b) => a + b)).toBe(1);
  });

  test('kept ids and probabilities', () => {
    const probs = distribution(floats, options, history);
    expect([...probs.keys()].filter((id) => probs[id]! > 0)).toEqual(expected.kept_ids);
    expected.kept_ids.forEach((id, i) => {
      expect(Math.abs(probs[id]! - expected.probs[i]!), `probability of ${id}`).toBeLessThan(2e-6);
    });
  });

  test('picks', () => {
    const probs = distribution(floats, options, history);
    const ids = Uint32Array.from(probs.keys());
    for (const [u, id] of expected.picks) {
      expect(draw({ ids, probs: Float64Array.from(probs), scores: new Float64Array(0) }, u), `u = ${u}`).toBe(id);
    }
  });
});
