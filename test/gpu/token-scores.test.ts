import { describe, expect, test } from 'vitest';
import { backends, openedOnce } from '../backends.ts';
import { MiniPlan, randomValues } from '../ops/mini-plan.ts';

describe.each(backends.map(openedOnce))('token scores on $name', (backend) => {
  test.each([
    [3, 1],
    [50257, 3],
  ])('a vocabulary of %i, %i rows: log-probability, rank and entropy', async (vocabulary, rows) => {
    const logits = randomValues(vocabulary * rows, 5, 6);
    logits[1] = logits[0]!; // a tie
    const plan = new MiniPlan(rows);
    // x = one-hot of the row, so that row r of the logits is column r of the weight.
    const x = plan.input(
      'x',
      Float32Array.from({ length: rows * rows }, (_, i) => (i % (rows + 1) === 0 ? 1 : 0)),
      rows,
    );
    const columns = Float32Array.from(
      { length: vocabulary * rows },
      (_, i) => logits[(i % rows) * vocabulary + Math.floor(i / rows)]!,
    );
    const weight = plan.matrix('logits', vocabulary, rows, columns, 'f32');
    plan.step({ op: 'selectRows', input: x, output: plan.tensor('selected', 'logitRows', rows) });
    plan.step({ op: 'linear', input: 'selected', weight, outputs: [plan.tensor('logits', 'logitRows', vocabulary)] });
    const batchRows = Array.from({ length: rows }, (_, r) => ({ token: r, position: r, slot: 0 }));
    const logitRows = batchRows.map((_, r) => r);
    const program = await plan.program(await backend.open(), [], { rows: batchRows, logitRows }, vocabulary);
    for (const target of [0, 1, vocabulary - 1]) {
      const targets = logitRows.map(() => target);
      const { scores, logits: read } = await program.run({ rows: batchRows, logitRows, targets });
      expect(read.length).toBe(0);
      for (const r of logitRows) {
        const row = logits.subarray(r * vocabulary, (r + 1) * vocabulary);
        const sum = row.reduce((total, value) => total + Math.exp(value), 0);
        const entropy = row.reduce((total, value) => total - (Math.exp(value) / sum) * (value - Math.log(sum)), 0);
        const before = row.filter((value, id) => value > row[target]! || (value === row[target] && id < target)).length;
        expect(scores[r]!.logprob).toBeCloseTo(row[target]! - Math.log(sum), 4);
        expect(scores[r]!.rank).toBe(before + 1);
        expect(scores[r]!.entropy).toBeCloseTo(entropy, 3);
      }
    }
    program.dispose();
  });
});
