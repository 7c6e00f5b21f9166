import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Encoder } from '../../src/run/encoder.ts';
import { backends, isFull } from '../backends.ts';
import { expectClose } from '../close.ts';
import { casesOf, type FamilyExpected, familyExpected, openEncoder, tensorsOf } from './families.ts';

const folders = [
  'bert-mlm',
  'bert-pooler',
  'bert-seqcls',
  'bert-tokcls',
  'bert-qa',
  'distilbert-mlm',
  'distilbert-seqcls',
  'roberta-mlm',
  'roberta-seqcls',
  'st-mean',
  'st-cls',
];

const product = (a: Float32Array, b: Float32Array) => a.reduce((sum, value, i) => sum + value * b[i]!, 0);
const likeness = (a: Float32Array, b: Float32Array) => product(a, b) / Math.sqrt(product(a, a) * product(b, b));

/** Families, heads and poolings are no matter of a device's. A software GPU compiles the kernels of each for seconds. */
const onGpu = ['bert-mlm'];

describe.each(backends)('on $name', (backend) => {
  describe.each(backend.name === 'webgpu' && !isFull ? onGpu : folders)('%s', (folder) => {
    let encoder: Encoder;
    let given: FamilyExpected;
    beforeAll(async () => {
      given = await familyExpected(folder);
      encoder = await openEncoder(backend, folder);
    });
    afterAll(() => encoder?.dispose());

    test('hidden states and the head, one by one and packed', async () => {
      const { cases, accept } = given;
      const expected = await tensorsOf(folder, 'expected.safetensors');
      for (const one of cases) {
        const found = await encoder.run(casesOf(one));
        const isMasked = (i: number) => one.attention_mask?.[i]?.[0] === 0;
        const check = (what: string, output: string, values: (i: number) => Float32Array, skipsMasked = false) => {
          const stored = one.outputs[output];
          if (!stored) return;
          const { data } = expected.get(stored.tensor)!;
          const width = data.length / one.input_ids.length;
          for (let i = 0; i < one.input_ids.length; i++) {
            if (skipsMasked && isMasked(i)) continue;
            const wanted = data.subarray(i * width, (i + 1) * width);
            expectClose(values(i), wanted, { absolute: accept[output]! }, `${one.name} ${what} ${i}`);
          }
        };
        check('hidden', 'last_hidden_state', (i) => found.hidden[i]!.data);
        check('logits', 'logits', (i) => found.logits![i]!.data, folder.endsWith('seqcls'));
        check('pooled', 'pooler_output', (i) => found.pooled![i]!.data, true);
        const column = (i: number, at: number) => found.logits![i]!.data.filter((_, j) => j % 2 === at);
        check('start', 'start_logits', (i) => column(i, 0));
        check('end', 'end_logits', (i) => column(i, 1));
      }
    });

    test.runIf(/mlm|pooler/.test(folder))('every intermediate', async () => {
      const { cases, trace } = given;
      const expected = await tensorsOf(folder, 'trace.safetensors');
      const input = casesOf(cases.find(({ name }) => name === trace!.case)!)[0]!;
      const found = await encoder.trace(input, { capture: [...expected.keys()] });
      for (const [name, { data, shape }] of expected) {
        expect(found.get(name)!.shape, name).toEqual(shape.slice(1));
        expectClose(found.get(name)!.data, data, { relative: trace!.accept_relative_to_largest }, name);
      }
    });

    test.runIf(folder.startsWith('st-'))('embeddings, alone and together, and their likenesses', async () => {
      const { sentences, similarities, accept } = given;
      const together = await encoder.embed(sentences!.map(({ text }) => text));
      for (const [i, { text, embedding, ids }] of sentences!.entries()) {
        const { maxLength } = encoder.sentences;
        expect(encoder.tokenizer.inputs(text, { maxLength: maxLength! }).ids).toEqual(ids);
        const [alone] = await encoder.embed([text]);
        expectClose(alone!, embedding, { absolute: accept.embedding! }, text);
        expectClose(together[i]!, embedding, { absolute: accept.embedding! }, `${text}, with others`);
      }
      const found = together.flatMap((a) => together.map((b) => likeness(a, b)));
      expectClose(found, similarities!.flat(), { absolute: accept.embedding! }, 'similarities');
    });

    test.runIf(folder.endsWith('mlm'))('every mask of a text', async () => {
      const { fill_mask: cases } = given;
      expect(cases!.length).toBeGreaterThan(0);
      for (const { text, mask_position, top } of cases!) {
        const { ids } = encoder.tokenizer.inputs(text);
        const masks = [...ids.keys()].filter((i) => ids[i] === encoder.tokenizer.maskId);
        const found = await encoder.fill(text, { topK: top.length });
        const filled = found[masks.indexOf(mask_position)]!;
        expect(filled.map(({ id, token }) => ({ id, token }))).toEqual(top.map(({ id, token }) => ({ id, token })));
        const scores = filled.map(({ score }) => score);
        const wanted = top.map(({ probability }) => probability);
        expectClose(scores, wanted, { absolute: 5e-5 }, text);
      }
    });

    test.runIf(backend.name === 'cpu')('texts are read as the tokenizer reads them', async () => {
      const texts = given.texts!;
      const byText = await encoder.run(texts.map(({ text }) => text));
      const byIds = await encoder.run(texts.map(({ ids }) => ({ ids })));
      for (const [i, { text }] of texts.entries()) {
        expectClose(byText.hidden[i]!.data, byIds.hidden[i]!.data, { absolute: 1e-6 }, text);
      }
    });
  });
});
