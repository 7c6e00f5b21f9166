import { describe, expect, test } from 'vitest';
import { Encoder, type EncoderIds } from '../../src/run/encoder.ts';
import { backends } from '../backends.ts';
import { expectClose } from '../close.ts';
import { type FamilyCase, familyExpected, openFamily, tensorsOf } from './families.ts';

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
    const { checkpoint, engine } = await openFamily(backend, folder, 'encoder');
    const encoder = new Encoder(checkpoint.config, engine, { dtype: 'f32', reason: '' });
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
    engine.dispose();
  });

  test.each(folders.filter((folder) => /mlm|pooler/.test(folder)))('%s: every intermediate', async (folder) => {
    const { checkpoint, engine } = await openFamily(backend, folder, 'encoder');
    const encoder = new Encoder(checkpoint.config, engine, { dtype: 'f32', reason: '' });
    const { cases, trace } = await familyExpected(folder);
    const expected = await tensorsOf(folder, 'trace.safetensors');
    const input = inputsOf(cases.find(({ name }) => name === trace!.case)!)[0]!;
    const found = await encoder.trace(input, { capture: [...expected.keys()] });
    for (const [name, { data, shape }] of expected) {
      expect(found.get(name)!.shape, name).toEqual(shape.slice(1));
      expectClose(found.get(name)!.data, data, { relative: trace!.accept_relative_to_largest }, name);
    }
    engine.dispose();
  });
});
