import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openCheckpoint } from '../../src/load/open.ts';
import type { Model } from '../../src/run/model.ts';
import { renderChat } from '../../src/text/chat.ts';
import { sharedDevice } from '../backends.ts';
import { expectedOfSmolLm2, folderOf, isThere, smollm2, tensorsOfSmolLm2 } from './models.ts';
import { expectedPerplexity, openSmolLm2, type Part, passageIds, testSmolLm2, whole } from './smollm2-case.ts';

const { tokenizer: texts, cases, chats } = await expectedOfSmolLm2();

/** Three ids and a token: what plain JavaScript and a software GPU do in reasonable time. */
const little: Part = { cases: [1], chats: [], greedy: 1 };

describe.skipIf(!isThere(smollm2))('SmolLM2-135M-Instruct', () => {
  describe('on WebAssembly, in f32', () => {
    let model: Model;
    beforeAll(async () => {
      model = await openSmolLm2({ device: 'wasm', dtype: 'f32' });
    });
    afterAll(() => model?.dispose());

    test('its tokenizer gives the ids of all texts', () => {
      expect(texts).toHaveLength(44);
      for (const { text, ids, ids_with_special } of texts) {
        expect(model.tokenizer.encode(text), text).toEqual(ids);
        expect(model.tokenizer.encode(text, { special: true }), text).toEqual(ids_with_special);
      }
    });

    test('the chats, as the template of the file writes them', async () => {
      const checkpoint = await openCheckpoint(folderOf(smollm2));
      const { gguf } = await checkpoint.tokenizerFiles();
      const template = gguf!.fields.get('tokenizer.chat_template') as string;
      const special = { bos_token: '<|im_start|>', eos_token: '<|im_end|>' };
      for (const { messages, rendered, ids } of chats) {
        expect(await renderChat(template, messages, { special })).toBe(rendered);
        expect(model.tokenizer.encode(rendered, { special: true })).toEqual(ids);
      }
    });

    testSmolLm2(() => model, whole);

    test('the perplexity of a passage', async () => {
      const { perplexity } = await model.score(passageIds);
      expect(Math.abs(perplexity / expectedPerplexity - 1)).toBeLessThan(1e-4);
    });
  });

  test('kept as the file has it, the perplexity is within 0.5 %', async () => {
    const model = await openSmolLm2({ device: 'wasm' });
    const { perplexity } = await model.score(passageIds);
    expect(Math.abs(perplexity / expectedPerplexity - 1)).toBeLessThan(5e-3);
    model.dispose();
  });

  test.each([
    ['f16', 3e-2, 1e-4],
    ['q8', 0.5, 1e-3],
  ] as const)('keys and values in %s: logits within %f, perplexity within %f', async (kv, logit, rise) => {
    const model = await openSmolLm2({ device: 'wasm', dtype: 'f32', kv });
    const { perplexity } = await model.score(passageIds);
    const [{ data }, tensor] = [await model.logits(cases[0]!.ids), await tensorsOfSmolLm2()];
    const error = tensor(cases[0]!.logits).data.reduce(
      (most, value, i) => Math.max(most, Math.abs(value - data[i]!)),
      0,
    );
    const change = perplexity / expectedPerplexity - 1;
    console.log(`keys and values in ${kv}: perplexity ${(100 * change).toFixed(4)} %, logits ${error.toPrecision(2)}`);
    expect(Math.abs(change)).toBeLessThan(rise);
    expect(error).toBeLessThan(logit);
    model.dispose();
  });

  describe.each(['cpu', 'webgpu'] as const)('on %s', (device) => {
    let model: Model;
    beforeAll(async () => {
      model = await openSmolLm2({ device: device === 'cpu' ? device : await sharedDevice(), dtype: 'f32' });
    });
    afterAll(() => model?.dispose());
    testSmolLm2(() => model, little);
  });
});
