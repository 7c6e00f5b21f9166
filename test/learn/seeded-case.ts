import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { load, loadEncoder, loadEncoderDecoder, loadVision } from '../../src/index.ts';
import { gradients } from '../../src/learn/index.ts';
import type { Near } from '../../src/learn/inside.ts';
import type { Backend } from '../../src/plan/backend.ts';
import { sharedDevice } from '../backends.ts';
import { batchOf, type Learning } from './models.ts';

const fixtures = new URL('../fixtures/', import.meta.url);
type Digest = [cosines: number, sines: number, largest: number];
export const seeded = JSON.parse(readFileSync(new URL('learning-seeded/gradients.json', fixtures), 'utf8')) as Record<
  string,
  Pick<Learning, 'architecture' | 'batch' | 'loss'> & { gradients: Record<string, Digest> }
>;

/** What tools/fixtures/learning.py tells of a gradient, and how far rounding may move its sums. */
function digestOf(values: Float32Array): { digest: Digest; length: number } {
  const digest: Digest = [0, 0, 0];
  for (const [i, value] of values.entries()) {
    digest[0] += value * Math.cos(i + 1);
    digest[1] += value * Math.sin(0.7 * i + 0.3);
    digest[2] = Math.max(digest[2], Math.abs(value));
  }
  return { digest, length: values.length };
}

/** A seeded model, by its folder. */
export async function openSeeded(name: string, device: Backend['kind']): Promise<Near> {
  const { architecture, batch } = seeded[name]!;
  const [{ source, pixels } = {}] = batch;
  const open = source ? loadEncoderDecoder : pixels ? loadVision : /CausalLM/.test(architecture) ? load : loadEncoder;
  return open(new URL(`${name}/`, fixtures), { device: device === 'webgpu' ? await sharedDevice() : device });
}

/** Answers, a teacher's second head, regression, several labels, one head of keys for all, three decoder layers on one encoder layer, output layers of their own. */
export function testSeeded(device: Backend['kind']): void {
  describe.each(Object.entries(seeded))(
    `gradients of %s on ${device}`,
    (name, { batch, loss, gradients: expected }) => {
      const opened = openSeeded(name, device);
      afterAll(async () => (await opened).dispose());

      it('are those of PyTorch', async () => {
        const { inputs, lossOf } = batchOf({ batch } as Learning);
        const wrt = ['weights:*'];
        const found = await gradients(await opened, inputs, { loss: lossOf(inputs.length), wrt });
        expect(Math.abs(found.loss / loss - 1)).toBeLessThan(1e-4);
        const most = Math.max(...Object.values(expected).map(([, , largest]) => largest));
        for (const [weight, values] of Object.entries(expected)) {
          const { digest, length } = digestOf(found.get(`weights:${weight}`).data);
          const within = (device === 'cpu' ? 1 : 5) * (5e-5 * values[2] + 1e-7 * most);
          expect(Math.abs(digest[2] - values[2]), weight).toBeLessThan(within);
          for (const i of [0, 1] as const) {
            expect(Math.abs(digest[i] - values[i]), `${weight}, sum ${i}`).toBeLessThan(within * Math.sqrt(length));
          }
        }
      });
    },
  );
}
