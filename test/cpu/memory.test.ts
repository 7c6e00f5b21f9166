import { expect, test } from 'vitest';
import { createCpuBackend } from '../../src/cpu/backend.ts';
import { gpt2Plan } from '../../src/model/gpt2.ts';
import { gpt2Config } from '../model/shapes.ts';

test('a program that no memory holds is refused as one', async () => {
  const plan = gpt2Plan(gpt2Config({ nLayer: 1, nHead: 2, nEmbd: 8, nInner: 16, nCtx: 2 ** 40, vocabSize: 40 }));
  const program = createCpuBackend().program(plan, { slots: 1, context: 2 ** 40, rows: 1, logitRows: 1 });
  await expect(program).rejects.toMatchObject({ code: 'out-of-memory', message: expect.stringContaining('bytes') });
});
