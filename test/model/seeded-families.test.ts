import { describe, expect, test } from 'vitest';
import { loadEncoder } from '../../src/run/load-encoder.ts';
import { loadEncoderDecoder } from '../../src/run/load-encoder-decoder.ts';
import { expectClose } from '../close.ts';
import { readFixtureJson } from '../fixtures.ts';
import { casesOf, type FamilyCase, familyFiles, tensorsOf } from './families.ts';

/** What tools/fixtures/families.py writes. */
interface Seeded {
  accept: number;
  cases: FamilyCase[];
  /** Texts as `generate` writes them from the files' own settings, beside the number of beams. */
  written: { name: string; input_ids: number[]; num_beams: number; new_ids: number[] }[];
}

const files = (folder: string) => familyFiles(folder, ['config.json', 'generation_config.json', 'model.safetensors']);

/** Parts of different depths and heads; words apart; an output layer of its own where config.json says that it is tied. */
const encoderDecoders = ['mbart', 'pegasus', 'bart-untied', 't5-deeper-decoder', 't5-own-head', 'mt5-own-head'];
/** Output layers that are not tied, which have a bias beside the head's; and sinusoids that are stored. */
const encoders = ['bert-untied', 'roberta-untied', 'distilbert-sinusoids'];

describe.each(['cpu', 'wasm'] as const)('seeded families on %s', (device) => {
  test.each(encoderDecoders)('%s', async (folder) => {
    const { accept: absolute, cases, written } = await readFixtureJson<Seeded>(`families/${folder}/expected.json`);
    const expected = await tensorsOf(folder, 'expected.safetensors');
    const model = await loadEncoderDecoder(await files(folder), { device, dtype: 'f32' });
    for (const { name, input_ids, decoder_input_ids, outputs } of cases) {
      const { encoded, logits } = await model.run(input_ids[0]!, decoder_input_ids![0]!);
      const wanted = (output: string) => expected.get(outputs[output]!.tensor)!.data;
      expectClose(encoded.data, wanted('encoder_last_hidden_state'), { absolute }, `${name} encoded`);
      expectClose(logits.data, wanted('logits'), { absolute }, `${name} logits`);
    }
    for (const { name, input_ids, num_beams, new_ids } of written) {
      const { ids } = await model.complete(input_ids, { maxNewTokens: 12, numBeams: num_beams });
      expect(ids, name).toEqual(new_ids);
    }
    model.dispose();
  });

  test.each(encoders)('%s', async (folder) => {
    const { accept: absolute, cases } = await readFixtureJson<Seeded>(`families/${folder}/expected.json`);
    const expected = await tensorsOf(folder, 'expected.safetensors');
    const model = await loadEncoder(await files(folder), { device, dtype: 'f32' });
    for (const one of cases) {
      const { hidden, logits } = await model.run(casesOf(one));
      const wanted = (output: string) => expected.get(one.outputs[output]!.tensor)!.data;
      expectClose(hidden[0]!.data, wanted('hidden'), { absolute }, `${one.name} hidden`);
      expectClose(logits![0]!.data, wanted('logits'), { absolute }, `${one.name} logits`);
    }
    model.dispose();
  });
});
