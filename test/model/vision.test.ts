import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RawImage } from '../../src/image/source.ts';
import type { WeightFormat } from '../../src/plan/backend.ts';
import type { Vision } from '../../src/run/vision.ts';
import { backends, isFull } from '../backends.ts';
import { expectClose } from '../close.ts';
import { readFixture, readModelFile } from '../fixtures.ts';
import { vitTensors } from '../image/images.ts';
import { familyExpected, openVision, tensorsOf } from './families.ts';

const expected = await tensorsOf('vit', 'expected.safetensors');
const { cases, accept, trace } = await familyExpected('vit');
const [cpu, ...others] = backends;
const reference = await openVision(cpu!, 'vit');
afterAll(() => reference.dispose());

/** What `preprocess` makes of a case, by the fixture. */
const inputOf = (name: string) => {
  const { data, shape } = expected.get(`${name}.pixel_values`)!;
  return { pixels: data, shape: shape.slice(1) };
};
const fileOf = async (name: string) => new Blob([new Uint8Array(await readFixture(`families/vit/${name}.png`))]);
const logitsOf = (name: string) => expected.get(`${name}.logits`)!.data;
const farthest = (found: ArrayLike<number>, of: ArrayLike<number>) =>
  Array.from(found).reduce((most, value, i) => Math.max(most, Math.abs(value - of[i]!)), 0);

/** What formats cost the fixture's logits, which spread by 3: measured are 3e-6 (its file is F16), 0.089 and 1.05 on every device. */
const costs = { f16: 1e-5, q8: 0.12, q4: 1.4 } satisfies Partial<Record<WeightFormat, number>>;

describe.each(backends)('vit on $name', (backend) => {
  let vision: Vision;
  beforeAll(async () => {
    vision = backend === cpu ? reference : await openVision(backend, 'vit');
  });
  afterAll(() => (vision === reference ? undefined : vision?.dispose()));

  test('hidden states and logits of every case', async () => {
    for (const { name, outputs } of cases) {
      const { hidden, logits } = await vision.run(inputOf(name));
      expect([hidden.shape, logits.shape]).toEqual([[26, 48], [7]]);
      expectClose(logits.data, logitsOf(name), { absolute: accept.logits! }, name);
      const given = outputs.last_hidden_state;
      if (!given) continue;
      const { data } = expected.get(given.tensor)!;
      expectClose(hidden.data, data, { absolute: accept.last_hidden_state! }, name);
    }
  });

  const isSoftware = backend.name === 'webgpu' && !isFull; // it compiles a format's kernels for seconds

  // Encoders of texts are taken apart on it, of the same steps.
  test.runIf(!isSoftware)('every intermediate', async () => {
    const wanted = await tensorsOf('vit', 'trace.safetensors');
    const found = await vision.trace(inputOf(trace!.case), { capture: [...wanted.keys()] });
    for (const [name, { data, shape }] of wanted) {
      expect(found.get(name)!.shape, name).toEqual(shape.slice(1));
      expectClose(found.get(name)!.data, data, { relative: trace!.accept_relative_to_largest }, name);
    }
    expect(found.get('logits')).toBe(found.logits);
    expectClose(found.logits.data, logitsOf(trace!.case), { absolute: accept.logits! }, 'logits');
  });

  test('images themselves: pixels to the byte, classes, features', async () => {
    for (const one of cases) {
      const { name, top5 } = one as typeof one & { top5: { label: string; probability: number }[] };
      const image = await fileOf(name);
      const found = await vision.classify(image);
      expect(found.map(({ label }) => label)).toEqual(top5.map(({ label }) => label));
      expectClose(
        found.map(({ score }) => score),
        top5.map(({ probability }) => probability),
        { absolute: 5e-5 },
        name,
      );
      const { hidden } = await vision.run(image);
      expect(await vision.features(image)).toEqual(hidden.data.slice(0, 48));
    }
  });

  test.runIf(!isSoftware).each(Object.entries(costs))('dtype %s', async (dtype, cost) => {
    const coarse = await openVision(backend, 'vit', dtype as WeightFormat);
    const error = Math.max(
      ...(await Promise.all(
        cases.map(async ({ name }) => farthest((await coarse.run(inputOf(name))).logits.data, logitsOf(name))),
      )),
    );
    expect(error).toBeLessThan(cost);
    coarse.dispose();
  });

  test('its profile and its weights', async () => {
    const { steps } = await vision.profile(inputOf('image0'), { repeats: 1 });
    expect(steps.length).toBeGreaterThan(10);
    expect(steps.every(({ microseconds }) => microseconds >= 0)).toBe(true);
    const { data, shape } = await vision.weight('classifier.weight', { rows: [2] });
    const whole = await reference.weight('classifier.weight');
    expect([shape, whole.shape]).toEqual([
      [1, 48],
      [7, 48],
    ]);
    expect(data).toEqual(whole.data.slice(96, 144));
  });
});

describe('what preprocess makes of', () => {
  test.each(['image0', 'image1', 'image2', 'image3'])('%s, a file and its bytes', async (name) => {
    const { pixels, shape } = inputOf(name);
    const found = await reference.preprocess(await fileOf(name));
    expect(found.shape).toEqual(shape);
    expectClose(found.pixels, pixels, { absolute: 1e-6 }, name);
    const { shape: size, bytes } = (await vitTensors())(`${name}.rgb`);
    const raw: RawImage = { data: bytes, height: size[0]!, width: size[1]!, channels: 3 };
    expect(await reference.preprocess(raw)).toEqual(found);
    const opaque = new Uint8ClampedArray((bytes.length / 3) * 4).map((_, i) =>
      i % 4 === 3 ? 255 : bytes[Math.floor(i / 4) * 3 + (i % 4)]!,
    );
    expect(await reference.preprocess({ ...raw, data: opaque, channels: 4 })).toEqual(found);
  });
});

describe.each(others.filter(({ name }) => isFull || name !== 'webgpu'))(
  'an edit of any tensor, and nothing captured, on $name',
  (backend) => {
    let vision: Vision;
    beforeAll(async () => {
      vision = await openVision(backend, 'vit');
    });
    afterAll(() => vision?.dispose());

    test('moves the logits as on the CPU', async () => {
      const input = inputOf('image0');
      const plain = await reference.trace(input, { capture: ['*'] });
      const seen = new Set<Float32Array>();
      const names = [...plain].filter(([, { data }]) => !seen.has(data) && seen.add(data)).map(([name]) => name);
      expect(names.length).toBeGreaterThan(40);
      for (const name of names.filter((name) => name !== 'logits')) {
        const edits = [{ name, scale: -1.5 }];
        // Everything captured, every step runs by itself.
        const wanted = await reference.trace(input, { edits, capture: ['*'] });
        const { data, shape } = wanted.get(name)!;
        if (!/hook_scale|scores/.test(name))
          expectClose(
            data,
            plain.get(name)!.data.map((value) => value * -1.5),
            { relative: 1e-6 },
            name,
          );
        expect(shape, name).toEqual(plain.get(name)!.shape);
        const { logits } = await vision.trace(input, { edits });
        expectClose(logits.data, wanted.logits.data, { absolute: 4e-4 }, name);
        if (!name.endsWith('hook_scale')) expect(logits.data, name).not.toEqual(plain.logits.data);
      }
    });
  },
);

describe('an edit of patches', () => {
  const input = inputOf('image0');
  test('counts patches alone, and leaves the class token be', async () => {
    const plain = await reference.trace(input, { capture: ['embed.hook_embed', 'hook_full_embed'] });
    const capture = ['embed.hook_embed', 'hook_full_embed'];
    const all = await reference.trace(input, { capture, edits: [{ name: 'embed.hook_embed', set: 0 }] });
    expect(all.get('embed.hook_embed')).toEqual({ data: new Float32Array(25 * 48), shape: [25, 48] });
    const token = ({ data }: { data: Float32Array }) => data.slice(0, 48);
    expect(token(all.get('hook_full_embed')!)).toEqual(token(plain.get('hook_full_embed')!));
    const row = Float32Array.from({ length: 48 }, (_, i) => i);
    for (const position of [24, -1, [24]]) {
      const edits = [{ name: 'embed.hook_embed', position, set: row }];
      const last = (await reference.trace(input, { capture, edits })).get('embed.hook_embed')!;
      expect(last.data.slice(24 * 48)).toEqual(row);
      expect(last.data.slice(0, 24 * 48)).toEqual(plain.get('embed.hook_embed')!.data.slice(0, 24 * 48));
    }
  });

  test.each([25, -26, 0.5])('refuses position %s', async (position) => {
    const edits = [{ name: 'embed.hook_embed', position, set: 0 }];
    await expect(reference.trace(input, { edits })).rejects.toMatchObject({ code: 'bad-option' });
  });
});

describe.each(backends)('made by transformers 5, on $name', (backend) => {
  /** Rows and labels. The last two have patches of other widths, for which a software GPU would compile kernels of their own. */
  const made: [string, number, number][] = [
    ['deit', 27, 5],
    ['deit-teacher', 27, 5],
    ['vit-oblong', 17, 5],
    ['vit-grey', 26, 0],
  ];
  test.each(made.slice(0, backend.name === 'webgpu' ? 2 : 4))('%s', async (name, rows, labels) => {
    const vision = await openVision(backend, `../vision/${name}`);
    const wanted = await tensorsOf(`../vision/${name}`, 'expected.safetensors');
    const { data: pixels, shape } = wanted.get('pixels')!;
    const { hidden, logits } = await vision.run({ pixels, shape });
    expect([hidden.shape, logits.shape]).toEqual([[rows, 48], [labels]]);
    expectClose(hidden.data, wanted.get('hidden')!.data, { absolute: 2e-4 }, 'hidden');
    if (labels) expectClose(logits.data, wanted.get('logits')!.data, { absolute: 2e-4 }, 'logits');
    else
      await expect(vision.classify({ pixels, shape })).rejects.toMatchObject({
        code: 'bad-option',
        hint: expect.stringContaining('features'),
      });
    const traced = await vision.trace({ pixels, shape }, { capture: ['hook_full_embed', 'embed.hook_embed'] });
    expect(traced.get('hook_full_embed')!.shape).toEqual([rows, 48]);
    expect(traced.get('embed.hook_embed')!.shape).toEqual([rows - (name.startsWith('deit') ? 2 : 1), 48]);
    expectClose(traced.logits.data, logits.data, { absolute: 1e-5 }, 'logits of the trace');
    vision.dispose();
  });
});

test('the names of newer files are read', async () => {
  for (const folder of ['vit', '../vision/deit-teacher']) {
    const rename = (name: string) =>
      name
        .replace('.encoder.layer.', '.layers.')
        .replace('attention.attention.query', 'attention.q_proj')
        .replace('attention.attention.key', 'attention.k_proj')
        .replace('attention.attention.value', 'attention.v_proj')
        .replace('attention.output.dense', 'attention.o_proj')
        .replace('intermediate.dense', 'mlp.fc1')
        .replace(/(layers\.\d+)\.output\.dense/, '$1.mlp.fc2');
    const renamed = await openVision(cpu!, folder, 'auto', rename);
    const old = await openVision(cpu!, folder);
    const input = inputOf('image0');
    expect(await renamed.run(input)).toEqual(await old.run(input));
    for (const vision of [renamed, old]) vision.dispose();
  }
});

interface Digits {
  cases: { predicted: number; pixels: number[]; logits: number[]; cls_attention_last_layer_head0: number[] }[];
}

test.each(isFull ? backends : backends.filter(({ name }) => name !== 'webgpu'))(
  'the trained model tiny-digits on $name answers as its card says',
  async (backend) => {
    const bytes = new TextDecoder().decode(await readModelFile('tiny-digits/reference.json'));
    const { cases } = JSON.parse(bytes) as Digits;
    const vision = await openVision(backend, 'models/tiny-digits');
    for (const { predicted, pixels, logits, cls_attention_last_layer_head0: looks } of backend === cpu
      ? cases
      : cases.slice(0, 3)) {
      const image = { data: Uint8Array.from(pixels), width: 28, height: 28, channels: 1 as const };
      expectClose((await vision.run(image)).logits.data, logits, { absolute: 2e-4 }, String(predicted));
      expect((await vision.classify(image, { topK: 1 }))[0]!.label).toBe(String(predicted));
      const pattern = (await vision.trace(image, { capture: ['blocks.3.attn.hook_pattern'] })).get(
        'blocks.3.attn.hook_pattern',
      )!;
      expectClose(pattern.data.slice(0, 50), looks, { absolute: 2e-5 }, 'what the class token looks at');
    }
    vision.dispose();
  },
);
