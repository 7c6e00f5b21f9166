import { describe, expect, test } from 'vitest';
import type { EncoderIds } from '../../src/run/encoder-input.ts';
import { backends } from '../backends.ts';
import { expectClose } from '../close.ts';
import { type FamilyCase, familyExpected, openEncoder, tensorsOf } from './families.ts';

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

const inputsOf = ({ input_ids, attention_mask, token_type_ids }: FamilyCase): EncoderIds[] =>
  input_ids.map((ids, i) => ({
    ids,
    ...(attention_mask && { mask: attention_mask[i]! }),
    ...(token_type_ids && { types: token_type_ids[i]! }),
  }));

describe.each(backends)('encoders on $name', (backend) => {
  test.each(folders)('%s: hidden states and the head, one by one and packed', async (folder) => {
    const encoder = await openEncoder(backend, folder);
    const { cases, accept } = await familyExpected(folder);
    const expected = await tensorsOf(folder, 'expected.safetensors');
    for (const one of cases) {
      const found = await encoder.run(inputsOf(one));
      const isMasked = (i: number) => one.attention_mask?.[i]?.[0] === 0;
      const check = (what: string, output: string, values: (i: number) => Float32Array, skipsMasked = false) => {
        const given = one.outputs[output];
        if (!given) return;
        const { data } = expected.get(given.tensor)!;
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
    encoder.dispose();
  });

  test.each(folders.filter((folder) => /mlm|pooler/.test(folder)))('%s: every intermediate', async (folder) => {
    const encoder = await openEncoder(backend, folder);
    const { cases, trace } = await familyExpected(folder);
    const expected = await tensorsOf(folder, 'trace.safetensors');
    const input = inputsOf(cases.find(({ name }) => name === trace!.case)!)[0]!;
    const found = await encoder.trace(input, { capture: [...expected.keys()] });
    for (const [name, { data, shape }] of expected) {
      expect(found.get(name)!.shape, name).toEqual(shape.slice(1));
      expectClose(found.get(name)!.data, data, { relative: trace!.accept_relative_to_largest }, name);
    }
    encoder.dispose();
  });

  test.each(['st-mean', 'st-cls'])('%s: embeddings, alone and together, and their likenesses', async (folder) => {
    const encoder = await openEncoder(backend, folder);
    const { sentences, similarities, accept } = await familyExpected(folder);
    const texts = sentences!.map(({ text }) => text);
    const together = await encoder.embed(texts);
    for (const [i, { text, embedding, ids }] of sentences!.entries()) {
      expect(encoder.tokenizer.inputs(text, { maxLength: encoder.sentences.maxLength! }).ids).toEqual(ids);
      const [alone] = await encoder.embed([text]);
      expectClose(alone!, embedding, { absolute: accept.embedding! }, text);
      expectClose(together[i]!, embedding, { absolute: accept.embedding! }, `${text}, with others`);
    }
    const likeness = (a: Float32Array, b: Float32Array) => {
      const product = (a: Float32Array, b: Float32Array) => a.reduce((sum, value, i) => sum + value * b[i]!, 0);
      return product(a, b) / Math.sqrt(product(a, a) * product(b, b));
    };
    const found = together.flatMap((a) => together.map((b) => likeness(a, b)));
    expectClose(found, similarities!.flat(), { absolute: accept.embedding! }, 'similarities');
    encoder.dispose();
  });

  test.each(['bert-mlm', 'distilbert-mlm', 'roberta-mlm'])('%s: every mask of a text', async (folder) => {
    const encoder = await openEncoder(backend, folder);
    const { fill_mask: cases } = await familyExpected(folder);
    expect(cases!.length).toBeGreaterThan(0);
    for (const { text, mask_position, top } of cases!) {
      const masks = encoder.tokenizer.inputs(text).ids.flatMap((id, i) => (id === encoder.tokenizer.maskId ? [i] : []));
      const found = await encoder.fill(text, { topK: top.length });
      const filled = found[masks.indexOf(mask_position)]!;
      expect(filled.map(({ id, token }) => ({ id, token }))).toEqual(top.map(({ id, token }) => ({ id, token })));
      expectClose(
        filled.map(({ score }) => score),
        top.map(({ probability }) => probability),
        { absolute: 5e-5 },
        text,
      );
    }
    encoder.dispose();
  });

  test.each(folders)('%s: texts are read as the tokenizer reads them', async (folder) => {
    const encoder = await openEncoder(backend, folder);
    const { texts } = await familyExpected(folder);
    const read = texts!.map(({ text, ids }) => ({ text, ids }));
    const byText = await encoder.run(read.map(({ text }) => text));
    const byIds = await encoder.run(read.map(({ ids }) => ({ ids })));
    for (const [i, { text }] of read.entries()) {
      expectClose(byText.hidden[i]!.data, byIds.hidden[i]!.data, { absolute: 1e-6 }, text);
    }
    encoder.dispose();
  });
});
