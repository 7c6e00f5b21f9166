import { describe, expect, test } from 'vitest';
import { EncoderDecoder } from '../../src/run/encoder-decoder.ts';
import { tokenizerWithoutText } from '../../src/text/tokenizer.ts';
import { backends, isFull } from '../backends.ts';
import { expectClose } from '../close.ts';
import {
  casesOf,
  type FamilyCase,
  familyExpected,
  openEncoder,
  openFamily,
  openVision,
  tensorsOf,
} from './families.ts';

// One of each kind that is no decoder, in the browser itself; all fixtures in test:full.
const inBrowser = backends.filter(({ name }) => name !== 'cpu');

/** The first input of a fixture's first case, and what is expected of it. */
async function firstOf(folder: string) {
  const { cases, accept } = await familyExpected(folder);
  const expected = await tensorsOf(folder, 'expected.safetensors');
  const [one] = cases as [FamilyCase];
  const close = (found: Float32Array, output: string) => {
    const { data } = expected.get(one.outputs[output]!.tensor)!;
    const width = data.length / (one.input_ids?.length ?? 1);
    expectClose(found, data.subarray(0, width), { absolute: accept[output]! }, output);
  };
  return { one, expected, close };
}

describe.each(inBrowser)('in Chromium on $name', (backend) => {
  const isSoftware = backend.name === 'webgpu' && !isFull; // it compiles a model's kernels for seconds
  test('an encoder', async () => {
    const { one, close } = await firstOf('bert-pooler');
    using encoder = await openEncoder(backend, 'bert-pooler');
    const { hidden } = await encoder.run(casesOf(one).slice(0, 1));
    close(hidden[0]!.data, 'last_hidden_state');
  });

  test.skipIf(isSoftware)('an encoder-decoder', async () => {
    const { one, close } = await firstOf('marian-swish');
    const { checkpoint, engine } = await openFamily(backend, 'marian-swish', 'encoder-decoder');
    const tokenizer = tokenizerWithoutText(checkpoint.config.vocabSize);
    using model = new EncoderDecoder(checkpoint.config, tokenizer, engine, { dtype: 'f32', reason: '' });
    const mask = one.attention_mask && { mask: one.attention_mask[0]! };
    const { encoded, logits } = await model.run({ ids: one.input_ids[0]!, ...mask }, one.decoder_input_ids![0]!);
    close(encoded.data, 'encoder_last_hidden_state');
    close(logits.data, 'logits');
  });

  test.skipIf(isSoftware)('an image encoder', async () => {
    const { one, expected, close } = await firstOf('vit');
    using vision = await openVision(backend, 'vit');
    const { data, shape } = expected.get(`${one.name}.pixel_values`)!;
    const { logits } = await vision.run({ pixels: data, shape: shape.slice(1) });
    expect(logits.shape).toEqual([7]);
    close(logits.data, 'logits');
  });
});
