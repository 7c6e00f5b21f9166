import { expect, test } from 'vitest';
import { createGpuBackend } from '../../src/gpu/backend.ts';
import type { WeightFormat } from '../../src/plan/backend.ts';
import { deviceWith, sharedDevice } from '../backends.ts';
import { expectClose } from '../close.ts';
import { openOn, runIds } from '../model/opened.ts';

/** A device that says it binds no more than this. */
export async function limitedDevice(bytes: number): Promise<GPUDevice> {
  const limits = { maxStorageBufferBindingSize: bytes, maxBufferSize: bytes } as GPUSupportedLimits;
  return deviceWith(await sharedDevice(), { limits });
}

export function testParts(formats: readonly WeightFormat[]): void {
  test.each(formats)(
    'a %s table larger than the binding limit comes in parts, with the same logits',
    async (format) => {
      const ids = [506, 221, 999, 0, 334, 667, 333, 666];
      const run = async (limit: number) => {
        const { plan, backend } = await openOn(
          createGpuBackend(await limitedDevice(limit)),
          'tiny-gpt2',
          'model.safetensors',
          format,
        );
        const program = await backend.program(plan, { slots: 1, context: 16, rows: 8, logitRows: 8 });
        const many = (await runIds(program, ids, [0, 3, 7])).logits;
        const { logits: one } = await program.run({ rows: [{ token: 998, position: 8, slot: 0 }], logitRows: [0] });
        backend.dispose();
        return [...many, ...one];
      };
      // 1,000 rows of 64 to 512 bytes: whole, and in three parts or more.
      const perRow = { f32: 512, bf16: 256, f16: 256, q8: 128, q4: 64 }[format];
      const whole = await run(2 ** 27);
      const parts = await run(Math.max(400 * perRow, 48 * 1024));
      expect(whole.length).toBe(4000);
      expectClose(parts, whole, { absolute: 1e-5 }, 'logits');
    },
  );
}
