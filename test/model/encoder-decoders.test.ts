import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { WeightFormat } from '../../src/plan/backend.ts';
import { EncoderDecoder, type SourceInput } from '../../src/run/encoder-decoder.ts';
import type { Engine } from '../../src/run/engine.ts';
import { encodingOf } from '../../src/run/memory.ts';
import type { EncoderDecoderOptions } from '../../src/run/options.ts';
import { tokenizerWithoutText } from '../../src/text/tokenizer.ts';
import { backends, isFull } from '../backends.ts';
import { expectClose } from '../close.ts';
import { type FamilyCase, familyExpected, openFamily, tensorsOf } from './families.ts';

const folders = ['marian-relu', 'marian-swish', 'bart', 't5-v1.0', 't5-v1.1'];
/** One with norms behind each sum and one with them before, without a bias; BART differs from the first in where positions come from. */
const onGpu = ['marian-swish', 't5-v1.1'];

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

/** A fixture on a backend, its weights in a format. */
async function openOn(backend: (typeof backends)[number], folder: string, dtype: 'auto' | WeightFormat = 'auto') {
  const { engine, checkpoint } = await openFamily(backend, folder, 'encoder-decoder', dtype);
  const { config } = checkpoint;
  const model = new EncoderDecoder(config, tokenizerWithoutText(config.vocabSize), engine, {
    dtype: 'f32',
    reason: '',
  });
  return { engine, model };
}

const largest = (values: ArrayLike<number>) => Array.from(values).reduce((most, x) => Math.max(most, Math.abs(x)), 0);

describe.each(backends)('encoder-decoders on $name', (backend) => {
  const isSoftware = backend.name === 'webgpu' && !isFull; // it compiles a model's kernels for seconds
  describe.each(isSoftware ? onGpu : folders)('%s', (folder) => {
    let engine: Engine;
    let model: EncoderDecoder;
    beforeAll(async () => {
      ({ engine, model } = await openOn(backend, folder));
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

    test.runIf(!isSoftware && folder !== 'marian-relu')('every intermediate of both parts', async () => {
      const { cases, trace } = await familyExpected(folder);
      const expected = await tensorsOf(folder, 'trace.safetensors');
      const one = cases.find(({ name }) => name === trace!.case)!;
      const input = { source: sourceOf(one, 0), target: one.decoder_input_ids![0]! };
      const found = await model.trace(input, { capture: [...expected.keys()] });
      expect([...found.keys()].sort()).toEqual([...expected.keys(), 'logits'].sort());
      for (const [name, { data, shape }] of expected) {
        expect(found.get(name)!.shape, name).toEqual(shape.slice(1));
        expectClose(found.get(name)!.data, data, { relative: trace!.accept_relative_to_largest }, name);
      }
    });

    test.runIf(folder === 'marian-swish')('steps timed, and weights as they are kept', async () => {
      const { steps } = await model.profile({ source: [5, 6, 7], target: [1, 2] }, { repeats: 1 });
      const reads = steps.map(({ step }) => step).filter((step) => 'source' in step && step.source === 'memory.0');
      expect(reads.length).toBeGreaterThan(0);
      expect(steps.every(({ microseconds }) => microseconds >= 0)).toBe(true);
      const sinusoids = await model.weight('embed_positions.weight', { rows: [0, 3] });
      expect(sinusoids.shape).toEqual([2, 36]);
      expectClose(sinusoids.data.subarray(36, 38), [Math.sin(3), Math.sin(3 / 10000 ** (2 / 36))], { absolute: 1e-6 });
      const keys = await model.weight('decoder.layers.1.encoder_attn.k_proj.weight', { rows: [0] });
      expect(keys.shape).toEqual([1, 36]);
    });

    // On the software GPU one family shows it.
    test.skipIf(isSoftware && folder !== onGpu[0])('generations, greedy and by beams, to the id', async () => {
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

  // The largest error of a logit, where they have a spread of about 3: what rounding the weights costs models of 36 channels.
  const formats = [
    ['q4', 3], // some of its matrices are q8
    ['q8', 0.3],
    ['f16', 2e-4],
  ] as const;
  test.each(isSoftware ? [] : formats)('weights in %s: logits within %f', async (dtype, most) => {
    const errors: Record<string, number> = {};
    for (const folder of folders.slice(1)) {
      const { cases } = await familyExpected(folder);
      const expected = await tensorsOf(folder, 'expected.safetensors');
      const one = cases.find(({ name }) => name === 'src7-dec6')!;
      const { model } = await openOn(backend, folder, dtype);
      const { logits } = await model.run(sourceOf(one, 0), one.decoder_input_ids![0]!);
      const { data } = expected.get(one.outputs.logits!.tensor)!;
      errors[folder] = largest(logits.data.map((value, i) => value - data[i]!));
      model.dispose();
    }
    for (const [folder, error] of Object.entries(errors)) expect(error, folder).toBeLessThan(most);
    if (dtype !== 'f16') expect(largest(Object.values(errors))).toBeGreaterThan(most / 20);
  });

  // The kernels that edits take apart are those of test/run/edit-every-tensor.test.ts.
  test.each(isSoftware ? [] : ['bart', 't5-v1.1'])(
    '%s: an edit of any tensor of either part, and nothing captured',
    async (folder) => {
      const [reference, { model }] = [(await openOn(backends[0]!, folder)).model, await openOn(backend, folder)];
      const input = { source: [8, 5, 33, 90, 1], target: [2, 0, 44, 7] };
      const plain = await reference.trace(input, { capture: ['*'] });
      const seen = new Set<Float32Array>();
      for (const [name, { data }] of plain) {
        if (name === 'logits' || seen.has(data)) continue; // another name of a tensor
        seen.add(data);
        const edits = [{ name, scale: -1.5 }];
        // Everything captured, every step runs by itself.
        const { logits: expected } = await reference.trace(input, { edits, capture: ['*'] });
        const { logits } = await model.trace(input, { edits });
        expectClose(logits.data, expected.data, { absolute: 4e-4 }, `logits with ${name} edited`);
        if (!name.endsWith('hook_scale')) expect(expected.data, name).not.toEqual(plain.logits.data);
      }
      expect(seen.size).toBeGreaterThan(90);
      for (const one of [reference, model]) one.dispose();
    },
  );
});
