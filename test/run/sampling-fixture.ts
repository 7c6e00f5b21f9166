import type { GenerateOptions } from '../../src/run/options.ts';
import { readFixtureJson } from '../fixtures.ts';

/** Settings as sampling.json names them. */
export type FixtureSettings = Record<string, unknown>;

export interface SamplingFixture {
  cases: {
    name: string;
    logits: (number | null)[];
    prompt_ids: number[];
    generated_ids: number[];
    settings: FixtureSettings;
    expected: { greedy_id: number; kept_ids: number[]; probs: number[]; picks: [u: number, id: number][] };
  }[];
  generation: {
    name: string;
    prompt_text: string;
    prompt_ids: number[];
    settings: FixtureSettings;
    expected: { new_ids?: number[]; generated_ids?: number[]; finish_reason: string; text: string };
  }[];
  beam_search: {
    name: string;
    prompt_ids: number[];
    settings: FixtureSettings;
    expected: { new_ids: number[]; score: number }[];
  }[];
  invalid_settings: { settings: FixtureSettings; why: string }[];
}

export const readSampling = () => readFixtureJson<SamplingFixture>('sampling.json');

const names: Record<string, keyof GenerateOptions> = { bad_words_ids: 'badWords', eos_token_id: 'eosTokenId' };

/** The same settings as options of `generate`; `min_length` counts the prompt too. */
export function optionsOf({ min_length, ...settings }: FixtureSettings, promptLength = 0): GenerateOptions {
  const options = Object.fromEntries(
    Object.entries(settings).map(([name, value]) => [
      names[name] ?? name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase()),
      value,
    ]),
  );
  if (min_length !== undefined) options.minNewTokens = Math.max(0, (min_length as number) - promptLength);
  return options;
}
