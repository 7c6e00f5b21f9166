import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openSoak } from '../../scripts/soak/site.mjs';

/** The names of scripts/soak/page.js. */
interface Soak {
  lanes: Record<string, (options?: object) => Promise<SoakModel>>;
  calls: Record<string, (model: SoakModel, signal?: AbortSignal) => Promise<number[]>>;
  same(found: number[], expected: number[]): boolean;
}
interface SoakModel {
  dispose(): void;
  readonly device: { kind: string };
}
declare const soak: Soak;

// Every crash compiles all kernels anew.
let site: Awaited<ReturnType<typeof openSoak>>;
const errors: string[] = [];
beforeAll(async () => {
  site = await openSoak();
  site.page.on('pageerror', (error) => errors.push(error.message));
});
afterAll(async () => {
  await site?.close();
  expect(errors, 'rejections that nobody heard, and errors that the GPU told nobody').toEqual([]);
});

describe.each(['webgpu', 'worker'])('the GPU process is killed under %s', (lane) => {
  test('in the middle of a call, which ends as undisturbed', async () => {
    const names = await site.page.evaluate(() => Object.keys(soak.calls));
    const expected = await site.page.evaluate(
      async ([name, calls]) => {
        const model = await soak.lanes[name]!();
        const results: Record<string, number[]> = {};
        for (const call of calls) results[call] = await soak.calls[call]!(model);
        Object.assign(globalThis, { model });
        return results;
      },
      [lane, names] as const,
    );
    for (const name of names) {
      // What is warm is quick, so it is asked again and again until the loss has come.
      const disturbed = site.page.evaluate(async (call) => {
        const { model } = globalThis as unknown as { model: SoakModel };
        Object.assign(globalThis, { crashed: false });
        const results = [];
        do results.push(await soak.calls[call]!(model));
        while (!(globalThis as unknown as { crashed: boolean }).crashed);
        results.push(await soak.calls[call]!(model));
        return results;
      }, name);
      await site.crashGpu();
      await site.page.evaluate(() => Object.assign(globalThis, { crashed: true }));
      for (const found of await disturbed) {
        const same = await site.page.evaluate(([a, b]) => soak.same(a!, b!), [found, expected[name]!]);
        expect(same, `${name}: ${found.slice(0, 20)} is not ${expected[name]!.slice(0, 20)}`).toBe(true);
      }
    }
    await site.page.evaluate(async () => (globalThis as unknown as { model: SoakModel }).model.dispose());
  });

  test('in the middle of a load, which ends with a model that works', async () => {
    for (const stage of ['config', 'tokenizer', 'weights', 'ready']) {
      await site.page.exposeFunction(`crashAt_${lane}_${stage}`, () => site.crashGpu());
      const found = await site.page.evaluate(
        async ([name, at]) => {
          let crashed = false;
          const onProgress = (progress: { stage: string }) => {
            if (progress.stage !== at || crashed) return;
            crashed = true;
            void (globalThis as unknown as Record<string, () => Promise<void>>)[`crashAt_${name}_${at}`]!();
          };
          const model = await soak.lanes[name!]!({ onProgress });
          const { kind } = model.device;
          const ids = await soak.calls.stream!(model);
          model.dispose();
          return { kind, ids, crashed };
        },
        [lane, stage],
      );
      expect(found).toMatchObject({ kind: 'webgpu', crashed: true });
      expect(found.ids.length).toBe(16);
    }
  });
});
