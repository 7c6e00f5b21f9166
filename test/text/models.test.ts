import { describe, expect, test } from 'vitest';
import type { Bytes, Files } from '../../src/load/files.ts';
import { readTokenizerFiles } from '../../src/load/tokenizer-files.ts';
import { loadTokenizer } from '../../src/text/load.ts';
import { readModelFile } from '../fixtures.ts';

interface Case {
  text: string;
  input_ids: number[];
  tokens: string[];
  greedy_ids?: number[];
  greedy?: string;
  output_ids?: number[];
  output?: string;
}

/** A model's folder; `hidden` files are not there. `asked`: what was asked for. */
function folder(model: string, hidden: string[] = [], asked: string[] = []): Files {
  return {
    name: model,
    async open(file) {
      asked.push(file);
      if (hidden.includes(file)) return undefined;
      const bytes = await readModelFile(`${model}/${file}`).catch(() => undefined);
      async function* read(): Bytes {
        yield new Uint8Array(bytes!);
      }
      return bytes && { size: bytes.length, bytes: read() };
    },
    missing: (file) => {
      throw new Error(`no ${file}`);
    },
  };
}

describe.each([
  ['tiny-blanks', 'bert', 8000, ['vocab.txt']],
  ['tiny-tasks', 't5', 1000, ['spiece.model']],
  ['tiny-dates', 'marian', 500, ['source.spm', 'target.spm']],
  ['tiny-translate', 'marian', 4000, ['source.spm', 'target.spm']],
] as const)('%s', (model, modelType, vocabSize, others) => {
  test.each([
    ['tokenizer.json', others],
    ['other files', ['tokenizer.json']],
  ])('its ids by %s, and its texts', async (_, hidden) => {
    const { cases } = JSON.parse(new TextDecoder().decode(await readModelFile(`${model}/reference.json`))) as {
      cases: Case[];
    };
    const tokenizer = await loadTokenizer(await readTokenizerFiles(folder(model, [...hidden]), modelType), vocabSize);
    expect(cases.length).toBeGreaterThanOrEqual(5);
    for (const { text, input_ids, tokens, ...made } of cases) {
      expect(tokenizer.inputs(text).ids, text).toEqual(input_ids);
      expect(input_ids.map(tokenizer.spelling)).toEqual(tokens);
      const written = made.greedy_ids ?? made.output_ids;
      if (written) expect(tokenizer.decode(written, { special: false })).toBe(made.greedy ?? made.output);
    }
  });
});

describe('what is asked for', () => {
  const asked = async (model: string, modelType: string) => {
    const files: string[] = [];
    await readTokenizerFiles(folder(model, [], files), modelType);
    return files.sort();
  };
  const settings = ['added_tokens.json', 'special_tokens_map.json', 'tokenizer_config.json'];

  test('tokenizer.json and what is beside it; a GPT-2 has enough in its vocabulary', async () => {
    expect(await asked('tiny-blanks', 'bert')).toEqual([...settings, 'tokenizer.json'].sort());
    expect(await asked('tiny-blanks', 'gpt2')).toEqual(['tokenizer.json']);
    expect(await asked('tiny-translate', 'marian')).toEqual(
      [...settings, 'source.spm', 'target.spm', 'vocab.json'].sort(),
    );
  });
});
