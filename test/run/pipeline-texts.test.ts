import { describe, expect, test } from 'vitest';
import { pipeline } from '../../src/run/pipeline.ts';
import { readFixture, readFixtureJson } from '../fixtures.ts';
import { openTranslator, translatorFiles } from './translators.ts';

interface Case {
  task: 'text2text-generation' | 'summarization' | 'translation_en_to_de';
  model: string;
  input: string;
  options: Record<string, unknown>;
  output: unknown;
}

const { cases } = await readFixtureJson<{ cases: Case[] }>('families/pipelines.json');
const ours = cases.filter(({ task }) => /^(text2text|summarization|translation)/.test(task));

describe('tasks that make texts of texts', () => {
  test('as in Python', async () => {
    expect(ours.length).toBe(5);
    for (const { task, model, input, options, output } of ours) {
      const pipe = await pipeline(task, await translatorFiles(model), { device: 'cpu' });
      expect(await pipe(input, options), `${task} of ${model}`).toEqual(output);
      await pipe.dispose();
    }
  });

  test('translation: one text, a list, several of each, options in both spellings', async () => {
    const translate = await pipeline('translation', await translatorFiles('tiny-translate'), { device: 'cpu' });
    const [love, station] = [{ translation_text: "Je t'aime." }, { translation_text: 'Où est la gare ?' }];
    expect(await translate('I love you.')).toEqual([love]);
    expect(await translate(['I love you.', 'Where is the station?'])).toEqual([love, station]);
    const several = await translate('I love you.', { num_return_sequences: 3 });
    expect(several.length).toBe(3);
    expect(several[0]).toEqual(love);
    expect(await translate('I love you.', { numBeams: 1, maxLength: 3 })).toEqual([{ translation_text: 'Je' }]);
    expect(await translate('I love you.', { do_sample: true, top_k: 1 })).toEqual([love]);
    await expect(translate('I love you.', { tgt_lang: 'fr' })).rejects.toMatchObject({ code: 'bad-option' });
    await expect(translate(7 as never)).rejects.toMatchObject({ code: 'bad-option' });
    await translate.dispose();
    await expect(translate('I love you.')).rejects.toMatchObject({ code: 'disposed' });
  });

  test("a task's own settings of config.json: what stands before a text, and how it is written", async () => {
    const config = JSON.parse(new TextDecoder().decode(await readFixture('families/t5-v1.0/config.json')));
    const summarization = { prefix: 'summarize: ', max_length: 8, num_beams: 2, min_length: 30, early_stopping: true };
    const changed = { 'config.json': JSON.stringify({ ...config, task_specific_params: { summarization } }) };
    const text = 'The lamp in the window was lit.';
    const model = await openTranslator('t5-v1.0');
    const summarize = await pipeline('summarization', await translatorFiles('t5-v1.0', changed), { device: 'cpu' });
    const expected = await model.complete(`summarize: ${text}`, {
      numBeams: 2,
      maxNewTokens: 7,
      minNewTokens: 7,
      earlyStopping: true,
    });
    expect(await summarize(text, { min_new_tokens: 7 })).toEqual([{ summary_text: expected.text }]);
    const plain = await model.complete(`summarize: ${text}`, { numBeams: 1, maxNewTokens: 5, minNewTokens: 5 });
    expect(await summarize(text, { num_beams: 1, max_new_tokens: 5 })).toEqual([{ summary_text: plain.text }]);
    await summarize.dispose();
    model.dispose();
  });

  test('a model of another kind is refused, and its loader named', async () => {
    await expect(pipeline('fill-mask', await translatorFiles('t5-v1.0'), { device: 'cpu' })).rejects.toMatchObject({
      code: 'unsupported-checkpoint',
      hint: 'Call loadEncoderDecoder instead.',
    });
  });
});
