import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Encoder } from '../../src/run/encoder.ts';
import { backends, isFull } from '../backends.ts';
import { expectClose } from '../close.ts';
import { casesOf, familyExpected, openEncoder } from './families.ts';

/**
 * The largest difference of a logit (where there is no head, of a hidden state) from float32's, over all cases, as measured on
 * the CPU: logits spread by 3, hidden states by 1. In f16 files f16 costs nothing; bert-tokcls, bert-qa and st-mean are f32.
 */
const costs: Record<string, { f16: number; q8: number; q4: number }> = {
  'bert-mlm': { f16: 0, q8: 0.27, q4: 2.6 },
  'bert-pooler': { f16: 0, q8: 0.1, q4: 0.97 },
  'bert-seqcls': { f16: 0, q8: 0.085, q4: 0.72 },
  'bert-tokcls': { f16: 0.0053, q8: 0.15, q4: 1.2 },
  'bert-qa': { f16: 0.0064, q8: 0.15, q4: 1.6 },
  'distilbert-mlm': { f16: 0, q8: 0.38, q4: 4.7 },
  'distilbert-seqcls': { f16: 0, q8: 0.092, q4: 1.3 },
  'roberta-mlm': { f16: 0, q8: 0.21, q4: 2.8 },
  'roberta-seqcls': { f16: 0, q8: 0.068, q4: 0.82 },
  'st-mean': { f16: 0.003, q8: 0.055, q4: 0.66 },
  'st-cls': { f16: 0, q8: 0.056, q4: 0.78 },
};
/** A GPU in software compiles kernels for each width and format: it has one folder of each kind of file, once a night. */
const onGpu = ['bert-seqcls', 'st-mean'];

describe.each(backends.filter(({ name }) => name !== 'webgpu' || isFull))('on $name', (backend) => {
  const folders = Object.entries(costs).filter(([folder]) => backend.name !== 'webgpu' || onGpu.includes(folder));
  test.each(folders)('%s', async (folder, cost) => {
    const { cases } = await familyExpected(folder);
    const reference = await openEncoder(backends[0]!, folder, 'f32');
    for (const dtype of ['f16', 'q8', 'q4'] as const) {
      const encoder = await openEncoder(backend, folder, dtype);
      let worst = 0;
      for (const one of cases) {
        const [found, wanted] = [await encoder.run(casesOf(one)), await reference.run(casesOf(one))];
        for (const [i, { data }] of (found.logits ?? found.hidden).entries()) {
          const exact = (wanted.logits ?? wanted.hidden)[i]!.data;
          worst = data.reduce((most, value, j) => Math.max(most, Math.abs(value - exact[j]!)), worst);
        }
      }
      expect(worst, dtype).toBeLessThanOrEqual(1.1 * cost[dtype] + 2e-5);
      expect(worst, dtype).toBeGreaterThanOrEqual(0.8 * cost[dtype]);
      encoder.dispose();
    }
    reference.dispose();
  });
});

/** Of each family. The kernels that edits take apart on a GPU are those of test/run/edit-every-tensor.test.ts too. */
const edited = {
  webgpu: isFull ? ['bert-seqcls'] : [],
  wasm: ['bert-mlm', 'distilbert-seqcls', 'roberta-seqcls', 'bert-qa'],
  cpu: [],
};

const editing = backends.filter(({ name }) => edited[name].length > 0);

describe.each(editing)('an edit of any tensor, and nothing captured, on $name', (backend) => {
  describe.each(edited[backend.name])('%s', (folder) => {
    let encoder: Encoder;
    let reference: Encoder;
    beforeAll(async () => {
      reference = await openEncoder(backends[0]!, folder);
      encoder = await openEncoder(backend, folder);
    });
    afterAll(() => {
      encoder?.dispose();
      reference?.dispose();
    });

    test('moves the logits as on the CPU, and is traced as edited', async () => {
      const input = { ids: [2, 30, 203, 111, 101, 3] };
      const plain = await reference.trace(input, { capture: ['*'] });
      expectClose(plain.logits.data, (await reference.run([input])).logits![0]!.data, { absolute: 1e-5 }, 'logits');
      const seen = new Set<Float32Array>();
      const names = [...plain].filter(([, { data }]) => !seen.has(data) && seen.add(data)).map(([name]) => name);
      expect(names.length).toBeGreaterThan(25);
      let moved = 0;
      // A GPU's kernels are the same in every block.
      const isTold = (name: string) =>
        !/^(logits|nsp)$/.test(name) && (backend.name !== 'webgpu' || !/^blocks\.1/.test(name));
      const edited = names.filter(isTold);
      for (const name of edited) {
        const edits = [{ name, scale: -1.5 }];
        const wanted = await reference.trace(input, { edits, capture: ['*'] });
        const { data, shape } = wanted.get(name)!;
        expect(shape, name).toEqual(plain.get(name)!.shape);
        if (!/hook_scale|scores/.test(name)) {
          expectClose(
            data,
            plain.get(name)!.data.map((value) => value * -1.5),
            { relative: 1e-6 },
            name,
          );
        }
        const { logits } = await encoder.trace(input, { edits });
        expectClose(logits.data, wanted.logits.data, { absolute: 4e-4 }, name);
        if (logits.data.some((value, i) => Math.abs(value - plain.logits.data[i]!) > 1e-3)) moved++;
      }
      // All but the keys that softmax passes over, and the pooler where another head answers.
      expect(moved).toBeGreaterThan(edited.length - 8);
    });
  });
});
