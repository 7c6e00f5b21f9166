import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EncoderDecoder, type SourceInput } from '../../src/run/encoder-decoder.ts';
import type { Engine } from '../../src/run/engine.ts';
import { encodingOf } from '../../src/run/memory.ts';
import type { EncoderDecoderOptions } from '../../src/run/options.ts';
import { tokenizerWithoutText } from '../../src/text/tokenizer.ts';
import { backends } from '../backends.ts';
import { expectClose } from '../close.ts';
import { type FamilyCase, familyExpected, openFamily, tensorsOf } from './families.ts';

const folders = ['marian-relu', 'marian-swish', 'bart', 't5-v1.0', 't5-v1.1'];

const sourceOf = ({ input_ids, attention_mask }: FamilyCase, i: number): SourceInput => ({
  ids: input_ids[i]!,
  ...(attention_mask && { mask: attention_mask[i]! }),
});

/** The options of a fixture, which are all that holds: what the folder's files say is switched off. */
function optionsOf(given: Record<string, unknown>): EncoderDecoderOptions {
  const options: Record<string, unknown> = { ...given };
  const beams = (options.num_beams as number) > 1;
  return {
    maxNewTokens: options.max_new_tokens as number,
    numBeams: options.num_beams as number,
    eosTokenId: options.eos_token_id as number[],
    decoderStartTokenId: options.decoder_start_token_id as number,
    forcedBosTokenId: (options.forced_bos_token_id as number) ?? null,
    forcedEosTokenId: (options.forced_eos_token_id as number) ?? null,
    noRepeatNgramSize: (options.no_repeat_ngram_size as number) ?? 0,
    badWords: (options.bad_words_ids as number[][]) ?? [],
    ...(beams && {
      lengthPenalty: (options.length_penalty as number) ?? 1,
      earlyStopping: (options.early_stopping as boolean) ?? false,
      numReturnSequences: options.num_beams as number,
    }),
  };
}

describe.each(backends)('encoder-decoders on $name', (backend) => {
  describe.each(folders)('%s', (folder) => {
    let engine: Engine;
    let model: EncoderDecoder;
    beforeAll(async () => {
      const opened = await openFamily(backend, folder, 'encoder-decoder');
      engine = opened.engine;
      const { config } = opened.checkpoint;
      model = new EncoderDecoder(config, tokenizerWithoutText(config.vocabSize), engine, { dtype: 'f32', reason: '' });
    });
    afterAll(() => model?.dispose());

    test('hidden states and logits of every case', async () => {
      const { cases, accept } = await familyExpected(folder);
      const expected = await tensorsOf(folder, 'expected.safetensors');
      for (const one of cases) {
        const close = (found: Float32Array, output: string, i: number) => {
          const { data } = expected.get(one.outputs[output]!.tensor)!;
          const width = data.length / one.input_ids.length;
          const wanted = data.subarray(i * width, (i + 1) * width);
          expectClose(found, wanted, { absolute: accept[output]! }, `${one.name} ${output} ${i}`);
        };
        for (const [i, target] of one.decoder_input_ids!.entries()) {
          const { encoded, logits } = await model.run(sourceOf(one, i), target);
          close(encoded.data, 'encoder_last_hidden_state', i);
          close(logits.data, 'logits', i);
        }
      }
    });

    test('sources of several lengths in one memory, and texts after each, give what each gives alone', async () => {
      const { cases, accept } = await familyExpected(folder);
      const expected = await tensorsOf(folder, 'expected.safetensors');
      const { input_ids, attention_mask, decoder_input_ids, outputs } = cases.find(({ name }) => name === 'batch')!;
      const kept = input_ids.map((ids, i) =>
        ids.map((token, position) => ({ token, position })).filter((_, at) => attention_mask![i]![at] === 1),
      );
      const firsts = kept.map((_, i) => kept.slice(0, i).reduce((sum, { length }) => sum + length, 0));
      const sources = kept.flatMap((rows, i) =>
        encodingOf({ length: rows.length, rows }).rows.map((row, at) => {
          const first = firsts[i]!;
          return { ...row, at: first + at, first, memory: { first: first + at, count: rows.length } };
        }),
      );
      const targets = decoder_input_ids!.flatMap((ids, slot) =>
        ids.map((token, position) => {
          return { token, position, slot, memory: { first: firsts[slot]!, count: kept[slot]!.length } };
        }),
      );
      const size = { slots: 3, context: 8, rows: targets.length, logitRows: targets.length, source: 36 };
      const program = await engine.current.program(engine.plan, size);
      await program.run({ encodes: true, rows: sources, logitRows: [] });
      const { logits } = await program.run({ rows: targets, logitRows: [...targets.keys()] });
      const { data } = expected.get(outputs.logits!.tensor)!;
      expectClose(logits, data, { absolute: accept.logits! }, 'logits');
      program.dispose();
    });

    test.runIf(folder !== 'marian-relu')('every intermediate of both parts', async () => {
      const { cases, trace } = await familyExpected(folder);
      const expected = await tensorsOf(folder, 'trace.safetensors');
      const one = cases.find(({ name }) => name === trace!.case)!;
      const input = { source: sourceOf(one, 0), target: one.decoder_input_ids![0]! };
      const found = await model.trace(input, { capture: [...expected.keys()] });
      for (const [name, { data, shape }] of expected) {
        expect(found.get(name)!.shape, name).toEqual(shape.slice(1));
        expectClose(found.get(name)!.data, data, { relative: trace!.accept_relative_to_largest }, name);
      }
    });

    test('generations, greedy and by beams, to the id', async () => {
      const { generations } = await familyExpected(folder);
      for (const { name, input_ids, options, sequences } of generations!) {
        const completion = await model.complete(input_ids, optionsOf(options));
        const found = completion.sequences ?? [completion];
        expect(
          found.map(({ ids }) => ids),
          name,
        ).toEqual(sequences.map(({ new_ids }) => new_ids));
        for (const [i, { score }] of sequences.entries()) {
          if (score !== undefined) expect(Math.abs(found[i]!.score! - score), name).toBeLessThan(1e-4);
        }
      }
    });
  });
});
