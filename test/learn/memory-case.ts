import { describe, expect, it, vi } from 'vitest';
import { loadEncoder } from '../../src/index.ts';
import { type Example, train } from '../../src/learn/index.ts';
import type { Near } from '../../src/learn/inside.ts';
import type { TrainOptions } from '../../src/learn/options.ts';
import type { Backend, Program } from '../../src/plan/backend.ts';
import { VitrineError } from '../../src/plan/error.ts';
import { insides } from '../../src/run/insides.ts';
import { sharedDevice } from '../backends.ts';
import { openLearner } from './models.ts';
import { openSeeded, seeded } from './seeded-case.ts';

const text = (length: number) => ({ ids: Array.from({ length }, (_, i) => 5 + i) });
const headless = 'families/bert-pooler';
const marian = 'learning-seeded/marian-three-on-one';
const cases: Record<string, { model: string; examples: Example[]; options: TrainOptions }> = {
  'a decoder': { model: 'tiny-gpt2', examples: [text(9), text(5), text(14)], options: { rank: 3, batchSize: 3 } },
  'a decoder whose blocks are made again': {
    ...{ model: 'tiny-gpt2', examples: [text(9), text(5)] },
    options: { rank: 3, batchSize: 2, recompute: true },
  },
  'all weights, examples judged': {
    ...{ model: 'llama-gqa', examples: [text(11), text(7)] },
    options: { method: 'full', batchSize: 2, evaluate: [text(11), text(7)], epochs: 1 },
  },
  'an encoder that gets a head': {
    ...{
      model: headless,
      examples: [
        { ...text(6), label: 'a' },
        { ...text(9), label: 'b' },
      ] as Example[],
    },
    options: { rank: 2, batchSize: 2 },
  },
  'an encoder-decoder': { model: marian, examples: [], options: { rank: 2, batchSize: 8 } },
};

async function open(folder: string, device: Backend['kind']): Promise<Near> {
  if (folder === marian) return openSeeded(folder, device);
  if (folder !== headless) return openLearner(folder, device);
  const on = device === 'webgpu' ? await sharedDevice() : device;
  return loadEncoder(new URL(`../fixtures/${headless}`, import.meta.url), { device: on });
}

/** Holds what a run says that it takes against what it takes then. */
export function testMemory(device: Backend['kind'], names = Object.keys(cases)): void {
  describe(`the memory of a run on ${device}`, () => {
    it.each(names)('is told before it is taken, of %s', async (name) => {
      const { model: folder, examples, options } = cases[name]!;
      const model = await open(folder, device);
      const data = folder === marian ? (seeded[marian]!.batch as Example[]) : examples;
      const backend = model[insides].engine.current;
      const programs: Program[] = [];
      const make = backend.program.bind(backend);
      backend.program = async (...given) => {
        const program = await make(...given);
        programs.push(program);
        return program;
      };
      const before = backend.bytes;
      const run = train(model, data, options);
      const told = await run.memory();
      // All weights were read, by programs of their own.
      expect(programs.every((one) => options.method === 'full' && one.bytes < 1e6)).toBe(true);
      programs.length = 0;
      expect(backend.bytes).toBe(before);
      await run.next();
      expect(programs.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(told.activations);
      expect(backend.bytes - before).toBe(told.weights);
      expect(told.bytes).toBe(told.activations + told.weights + told.optimiser);
      expect(told.recompute).toBe(options.recompute ?? false);
      expect(await run.memory()).toEqual(told);
      const learnt = run.checkpoint().params.reduce((sum, { values }) => sum + values.length, 0);
      expect(told.optimiser).toBeGreaterThanOrEqual(16 * learnt);
      await run.return();
      model.dispose();
    });

    it('says what was wanted where there is no room, and every way to less', async () => {
      const model = await openLearner('tiny-gpt2', device);
      const backend = model[insides].engine.current;
      const none = new VitrineError('out-of-memory', 'An activation needs 4000 MB.', { hint: 'Use a smaller model.' });
      const full = vi.spyOn(backend, 'program').mockRejectedValue(none);
      const run = train(model, [text(9), text(5)], { batchSize: 2 });
      const error = (await run.next().catch((one: unknown) => one)) as VitrineError;
      expect(error).toMatchObject({ code: 'out-of-memory', cause: none });
      expect(error.message).toMatch(/takes \d+ MB.*4000 MB/);
      expect(error.hint).toMatch(/recompute: true.*batchSize.*longest has 9 tokens.*rank/);
      full.mockRestore();
      const again = train(model, [text(9), text(5)], { batchSize: 2 });
      expect((await again.next()).done).toBe(false);
      await again.return();
      model.dispose();
    });
  });
}
