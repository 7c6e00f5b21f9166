import { afterAll, describe, expect, test } from 'vitest';
import {
  directLogitAttribution,
  type Edit,
  load,
  type Model,
  nearestTokens,
  neuronLogits,
  neuronTokens,
} from '../../src/index.ts';
import { familyFiles } from '../model/families.ts';
import { openFixture } from './models.ts';

const files = ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'];
const ids = [5, 9, 17, 5, 3];

/** Names of the final norm's weight, the words' output, and the MLP's output, as each family's files have them. */
const weights: Record<string, { norm: string; head: string; down: (layer: number) => string; centred: boolean }> = {
  'tiny-gpt2': { norm: 'ln_f.weight', head: 'wte.weight', down: (l) => `h.${l}.mlp.c_proj.weight`, centred: true },
  'llama-gqa': {
    norm: 'norm.weight',
    head: 'lm_head.weight',
    down: (l) => `layers.${l}.mlp.down_proj.weight`,
    centred: false,
  },
  'gpt-neox': {
    norm: 'final_layer_norm.weight',
    head: 'embed_out.weight',
    down: (l) => `layers.${l}.mlp.dense_4h_to_h.weight`,
    centred: true,
  },
};

describe.each(['tiny-gpt2', 'llama-gqa', 'qwen3', 'gpt-neox', 'gpt-neox-sequential', 'gpt-neo', 'opt'])(
  'who spoke for a word, in %s',
  (name) => {
    const model: Promise<Model> = (async () => {
      if (name === 'tiny-gpt2') return openFixture('tiny-gpt2');
      return load(await familyFiles(name, files), { device: 'cpu', dtype: 'f32' });
    })();
    afterAll(async () => (await model).dispose());
    const logitsAt = async (position: number, edits: Edit[] = []) =>
      (await (await model).trace(ids, { edits, logits: [position] })).logits.data;
    const total = (parts: { logit: number }[]) => parts.reduce((sum, { logit }) => sum + logit, 0);

    test('the parts sum up to the logit, or to the difference of two', async () => {
      const one = await model;
      const { nLayer, nHead } = one.config;
      const parts = await directLogitAttribution(one, ids, { token: 7, position: 3 });
      const logits = await logitsAt(3);
      expect(total(parts)).toBeCloseTo(logits[7]!, 3);
      expect(parts.filter(({ part }) => /head\.\d+$/.test(part)).length).toBe(nLayer * nHead);
      expect(parts.filter(({ part }) => /mlp$/.test(part)).length).toBe(nLayer);
      expect(parts.some(({ part }) => part === 'hook_pos_embed')).toBe(/gpt2|neo$|opt/.test(name));
      await expect(directLogitAttribution(one, ids, { token: 7, position: 99 })).rejects.toMatchObject({
        code: 'bad-option',
      });
      const rather = await directLogitAttribution(one, ids, { token: 7, minus: 11, position: 3 });
      expect(total(rather)).toBeCloseTo(logits[7]! - logits[11]!, 3);
    });

    test('of a run with edits, too, those of the stream itself among them', async () => {
      const one = await model;
      const head = { name: 'blocks.0.attn.hook_z', head: 1, scale: 0 };
      const own = await directLogitAttribution(one, ids, { token: 7, edits: [head] });
      expect(total(own)).toBeCloseTo((await logitsAt(-1, [head]))[7]!, 3);
      expect(own.find(({ part }) => part === 'blocks.0.attn.head.1')!.logit).toBeCloseTo(0, 4);
      const patch = { name: 'blocks.1.hook_resid_pre', position: 4, set: new Float32Array(one.config.nEmbd).fill(0.3) };
      const patched = await directLogitAttribution(one, ids, { token: 7, edits: [patch] });
      expect(total(patched)).toBeCloseTo((await logitsAt(-1, [patch]))[7]!, 3);
      expect(Math.abs(patched.find(({ part }) => part === 'edits')!.logit)).toBeGreaterThan(1e-3);
    });
  },
);

describe.each(Object.keys(weights))('what a neuron writes, in %s', (name) => {
  test('is its column against the words, as the weights have it', async () => {
    const model =
      name === 'tiny-gpt2'
        ? await openFixture('tiny-gpt2')
        : await load(await familyFiles(name, files), { device: 'cpu', dtype: 'f32' });
    const { norm, head, down, centred } = weights[name]!;
    const { nEmbd, nInner, vocabSize } = model.config;
    const [gamma, words, out] = await Promise.all([norm, head, down(1)].map((one) => model.weight(one)));
    const column = Array.from({ length: nEmbd }, (_, j) => out!.data[j * nInner + 3]!);
    const mean = centred ? column.reduce((a, b) => a + b, 0) / nEmbd : 0;
    const expected = Array.from({ length: vocabSize }, (_, id) =>
      column.reduce((sum, x, j) => sum + (x - mean) * gamma!.data[j]! * words!.data[id * nEmbd + j]!, 0),
    );
    const logits = await neuronLogits(model, 1, 3);
    for (const [id, logit] of logits.entries()) expect(logit).toBeCloseTo(expected[id]!, 3);
    const { raised, lowered } = await neuronTokens(model, 1, 3, 4);
    const order = [...expected.keys()].sort((a, b) => expected[b]! - expected[a]!);
    expect(raised[0]!.logit).toBeCloseTo(expected[order[0]!]!, 3);
    expect(lowered[0]!.logit).toBeCloseTo(expected[order.at(-1)!]!, 3);
    expect(raised[0]!.text).toBe(model.tokenizer.token(raised[0]!.id));
    expect((await nearestTokens(model, 7, 3)).length).toBe(3); // whatever the family calls its embedding
    await expect(neuronLogits(model, 1, nInner)).rejects.toThrow(`The neuron is ${nInner}`);
    model.dispose();
  });
});

test('a token or an option that is not there is named', async () => {
  const model = await openFixture('tiny-gpt2');
  await expect(directLogitAttribution(model, ids, { token: 1000 })).rejects.toThrow('token');
  await expect(directLogitAttribution(model, ids, { token: 1, minus: -1 })).rejects.toThrow('minus');
  const signal = AbortSignal.abort(new Error('left'));
  await expect(directLogitAttribution(model, ids, { token: 1, signal })).rejects.toThrow('left');
  model.dispose();
});
