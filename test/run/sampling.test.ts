import { describe, expect, test } from 'vitest';
import { draw } from '../../src/run/candidates.ts';
import type { GenerateOptions } from '../../src/run/options.ts';
import { uniform } from '../../src/run/random.ts';
import { best, distribution, samplingStages } from '../../src/run/sampling.ts';
import { cpuClock } from '../cpu-clock.ts';
import { randomValues, seeded } from '../ops/mini-plan.ts';
import { optionsOf, readSampling } from './sampling-fixture.ts';

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
    for (const [u, id] of expected.picks) expect(drawFrom(probs, u), `u = ${u}`).toBe(id);
  });
});

test('stages: those that are on, in order, each within the one before; the last is the distribution', () => {
  const logits = randomValues(500, 11, 8);
  const history = { prompt: Uint32Array.of(3, 4), generated: [5] };
  const options = { repetitionPenalty: 1.5, temperature: 0.7, topK: 60, topP: 0.9, minP: 0.02, typicalP: 0.8 };
  const stages = samplingStages(logits, options, history);
  expect(stages.map(({ name }) => name)).toEqual([
    'logits',
    'penalties',
    'temperature',
    'topK',
    'topP',
    'minP',
    'typicalP',
  ]);
  for (const [i, { candidates }] of stages.entries()) {
    expect(candidates.probs.reduce((a, b) => a + b)).toBeCloseTo(1, 10);
    const former = stages[i - 1]?.candidates.ids ?? candidates.ids;
    expect([...candidates.ids].filter((id) => !former.includes(id))).toEqual([]);
  }
  const { ids, probs } = stages.at(-1)!.candidates;
  const whole = distribution(logits, options, history);
  expect([...ids].map((id) => whole[id])).toEqual([...Float32Array.from(probs)]);
  expect(stages[1]!.logits[5]).not.toBe(stages[0]!.logits[5]);
  const names = (less: GenerateOptions) => samplingStages(logits, less).map(({ name }) => name);
  expect(names({ temperature: 1 })).toEqual(['logits', 'temperature']);
  expect(names({ temperature: 1, topP: 0.5 })).toEqual(['logits', 'temperature', 'topP']);
  expect(names({})).toEqual(['logits', 'temperature']);
});

function drawFrom(probs: Float32Array, u: number): number {
  return draw({ ids: Uint32Array.from(probs.keys()), probs: Float64Array.from(probs), scores: new Float64Array(0) }, u);
}

/** The filters as their definitions read, by sorting everything. */
function sorted(
  logits: Float32Array,
  o: Required<Pick<GenerateOptions, 'temperature' | 'topK' | 'topP' | 'minP' | 'typicalP'>>,
) {
  let left = [...logits].map((logit, id) => ({ id, score: logit / o.temperature, p: 0 }));
  const normalise = () => {
    const max = Math.max(...left.map(({ score }) => score));
    const sum = left.reduce((total, { score }) => total + Math.exp(score - max), 0);
    for (const one of left) one.p = Math.exp(one.score - max) / sum;
  };
  const until = (mass: number) => {
    let sum = 0;
    const end = left.findIndex(({ p }) => (sum += p) >= mass);
    left = end < 0 ? left : left.slice(0, end + 1);
  };
  const byScore = () => left.sort((a, b) => b.score - a.score || a.id - b.id);
  byScore();
  if (o.topK > 0) left = left.filter(({ score }) => score >= left[Math.min(o.topK, left.length) - 1]!.score);
  normalise();
  if (o.topP < 1) until(o.topP);
  normalise();
  if (o.minP > 0) left = left.filter(({ p }) => p >= o.minP * left[0]!.p);
  normalise();
  if (o.typicalP < 1) {
    const entropy = left.reduce((sum, { p }) => sum - (p > 0 ? p * Math.log(p) : 0), 0);
    const distance = ({ p }: { p: number }) => Math.abs(-Math.log(p) - entropy);
    left.sort((a, b) => distance(a) - distance(b) || a.id - b.id);
    until(o.typicalP);
    normalise();
  }
  return new Map(left.map(({ id, p }) => [id, p]));
}

test('the filters equal their definitions by sorting, whatever the settings', () => {
  const next = seeded(5);
  const between = (low: number, high: number) => low + ((next() + 1) / 2) * (high - low);
  const one = <T>(...values: T[]): T => values[Math.floor(between(0, values.length))]!;
  for (let round = 0; round < 300; round++) {
    const logits = randomValues(one(1, 2, 7, 100, 1000), round, between(0.1, 12));
    const options = {
      temperature: between(0.2, 3),
      topK: one(0, 1, 3, 40, 5000),
      topP: one(1, 0, between(0, 1), between(0.9, 1)),
      minP: one(0, between(0, 1), 0.05),
      typicalP: one(1, between(0.01, 1)),
    };
    const expected = sorted(logits, options);
    const found = distribution(logits, options);
    const kept = [...found.keys()].filter((id) => found[id]! > 0);
    expect(kept, JSON.stringify(options)).toEqual(
      [...expected.keys()].filter((id) => Math.fround(expected.get(id)!) > 0).sort((a, b) => a - b),
    );
    for (const id of kept) expect(Math.abs(found[id]! - expected.get(id)!)).toBeLessThan(1e-6);
  }
});

test('ties are broken by the lower id', () => {
  const flat = new Float32Array(8);
  expect([...distribution(flat, { temperature: 1, topP: 0.4 })]).toEqual([0.25, 0.25, 0.25, 0.25, 0, 0, 0, 0]);
  expect([...distribution(flat)]).toEqual([1, 0, 0, 0, 0, 0, 0, 0]);
  expect(best(flat, 3)).toEqual([0, 1, 2]);
  expect(best([1, 3, 2, 3], 9)).toEqual([1, 3, 2, 0]);
});

test('a vocabulary of 50,257 is not filtered by comparing each with each', () => {
  const logits = randomValues(50257, 3, 8);
  for (const options of [{ topK: 50 }, { topP: 0.95 }, { typicalP: 0.9 }, { topP: 0.999, minP: 0.001 }]) {
    distribution(logits, { temperature: 1, ...options });
    const computed = cpuClock();
    for (let i = 0; i < 5; i++) distribution(logits, { temperature: 1, ...options });
    expect(computed() / 5, JSON.stringify(options)).toBeLessThan(1000); // a few milliseconds
  }
});

test('sorted and equal logits are no worse', () => {
  const logits = Float32Array.from({ length: 50257 }, (_, i) => i / 5000);
  const computed = cpuClock();
  distribution(logits, { temperature: 1, topP: 0.9, topK: 10000 });
  distribution(logits.toReversed(), { temperature: 1, topP: 0.9, topK: 10000 });
  distribution(new Float32Array(50257), { temperature: 1, topP: 0.9, typicalP: 0.9 });
  expect(computed()).toBeLessThan(5000);
});

describe('logitsProcessors', () => {
  const logits = Float32Array.of(1, 2, 3);

  test('run after the other processors, on float32 logits and with the history', () => {
    const seen: unknown[] = [];
    const probs = distribution(
      logits,
      {
        logitBias: { 0: 5 },
        logitsProcessors: [
          (scores, history) => {
            seen.push([...scores], history);
            scores[0] = -1;
          },
          (scores) => scores.map((score, id) => (id === 2 ? Number.NEGATIVE_INFINITY : score)),
        ],
      },
      { prompt: [1], generated: [2] },
    );
    expect(seen).toEqual([[6, 2, 3], { prompt: [1], generated: [2] }]);
    expect([...probs]).toEqual([0, 1, 0]);
    expect([...logits], 'the caller keeps its logits').toEqual([1, 2, 3]);
  });

  test.each([
    ['a wrong length', () => new Float32Array(2)],
    ['an array', () => [1, 2, 3] as unknown as Float32Array],
    ['NaN', () => Float32Array.of(1, Number.NaN, 3)],
    ['Infinity', () => Float32Array.of(1, Number.POSITIVE_INFINITY, 3)],
    ['nothing left', () => new Float32Array(3).fill(Number.NEGATIVE_INFINITY)],
  ])('that give %s are refused', (_, processor) => {
    for (const temperature of [0, 1]) {
      expect(() => distribution(logits, { temperature, logitsProcessors: [processor] })).toThrow(
        expect.objectContaining({ code: 'bad-option' }),
      );
    }
  });
});

test.each([
  [[Number.NaN, 1]],
  [[1, Number.POSITIVE_INFINITY]],
  [[Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY]],
  [[]],
])('logits that leave nothing to draw from are refused: %o', (logits) => {
  expect(() => distribution(logits, { temperature: 1 })).toThrow(expect.objectContaining({ code: 'bad-option' }));
});

test('100,000 draws fit the distribution (chi-square)', () => {
  const logits = randomValues(40, 9, 3);
  const probs = distribution(logits, { temperature: 0.9, topK: 20, topP: 0.97 });
  for (const seed of [0, 1, 2 ** 52 + 12345]) {
    const counts = new Array<number>(40).fill(0);
    for (let i = 0; i < 100_000; i++) counts[drawFrom(probs, uniform(seed, i))]!++;
    expect(chiSquare(counts, [...probs])).toBeLessThan(limit(probs.filter((p) => p > 0).length - 1));
  }
});

function chiSquare(counts: number[], probs: number[]): number {
  const total = counts.reduce((a, b) => a + b);
  return counts.reduce((sum, count, i) => {
    if (probs[i] === 0) expect(count, `draws of the excluded id ${i}`).toBe(0);
    return probs[i] === 0 ? sum : sum + (count - total * probs[i]!) ** 2 / (total * probs[i]!);
  }, 0);
}

/** What chi-square passes once in 100,000 times (Wilson & Hilferty's approximation). */
const limit = (freedom: number): number => freedom * (1 - 2 / (9 * freedom) + 4.26 * Math.sqrt(2 / (9 * freedom))) ** 3;

describe('uniform', () => {
  /** pcg4d as printed in the paper, in whole numbers modulo 2^32. */
  function reference(seed: number, index: number, sequence: number): number {
    const mask = 2n ** 32n - 1n;
    const step = (word: bigint) => (word * 1664525n + 1013904223n) & mask;
    const words = [BigInt(seed) & mask, BigInt(seed) >> 32n, BigInt(index), BigInt(sequence)];
    let [x, y, z, w] = words.map(step) as [bigint, bigint, bigint, bigint];
    for (let round = 0; round < 2; round++) {
      x = (x + y * w) & mask;
      y = (y + z * x) & mask;
      z = (z + x * y) & mask;
      w = (w + y * z) & mask;
      if (round === 0) [x, y, z, w] = [x ^ (x >> 16n), y ^ (y >> 16n), z ^ (z >> 16n), w ^ (w >> 16n)];
    }
    return Number(x >> 8n) / 2 ** 24;
  }

  test('is pcg4d', () => {
    for (const seed of [0, 1, 42, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1]) {
      for (const index of [0, 1, 7, 1000]) {
        for (const sequence of [0, 3]) expect(uniform(seed, index, sequence)).toBe(reference(seed, index, sequence));
      }
    }
  });

  test('known values, for other implementations', () => {
    expect(
      [uniform(0, 0), uniform(1, 0), uniform(1, 1), uniform(1, 0, 1), uniform(2 ** 53 - 1, 5, 2)].map(
        (u) => u * 2 ** 24,
      ),
    ).toMatchInlineSnapshot(`
      [
        983800,
        736495,
        13833917,
        8876172,
        5949051,
      ]
    `);
  });

  test('neighbouring seeds, draws and sequences have nothing in common', () => {
    const pairs: [string, (i: number) => [number, number]][] = [
      ['draws', (i) => [uniform(1, i), uniform(1, i + 1)]],
      ['seeds', (i) => [uniform(i, 0), uniform(i + 1, 0)]],
      ['sequences', (i) => [uniform(1, i, 0), uniform(1, i, 1)]],
      ['high halves of seeds', (i) => [uniform(i * 2 ** 32, 0), uniform((i + 1) * 2 ** 32, 0)]],
    ];
    for (const [name, pair] of pairs) {
      const cells = new Array<number>(64).fill(0);
      for (let i = 0; i < 50_000; i++) {
        const [a, b] = pair(i);
        cells[Math.floor(a * 8) * 8 + Math.floor(b * 8)]!++;
      }
      expect(
        chiSquare(
          cells,
          cells.map(() => 1 / 64),
        ),
        name,
      ).toBeLessThan(limit(63));
    }
  });
});

test('the best ids are those of a sort, the lower one first among equals, few or many', () => {
  for (const length of [1, 2, 7, 300]) {
    const scores = Float32Array.from({ length }, (_, i) =>
      i % 11 === 3 ? Number.NEGATIVE_INFINITY : Math.round(9 * Math.sin(i * 12.9898)),
    );
    const sorted = [...scores.keys()].sort((a, b) => scores[b]! - scores[a]! || a - b);
    for (const n of [0, 1, 2, 8, 32, 33, 299, 400])
      expect(best(scores, n), `${n} of ${length}`).toEqual(sorted.slice(0, n));
  }
});
