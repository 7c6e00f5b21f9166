import type { SamplingStage } from '../../../../run/sampling.ts';
import { percent, shortNumber } from '../../../format.ts';

const count = new Intl.NumberFormat('en');

/** The words of the station from the last block to the next token. */
export const words = {
  station: [
    'From numbers to the next token',
    'A score (logit) for every token there is, and how one of them is drawn.',
  ] as [title: string, summary: string],
  flow: (token: string) => `What the model says comes after “${token}”.`,
  stream: 'The stream after the last block',
  logits: 'Logits',
  logitsNote: (tokens: number, width: number) =>
    `The normalised row times the row of every word of the vocabulary: ${count.format(tokens)} numbers, in the order of their ids, ${width} in a line.`,
  logitsPicture: (token: string) => `Logits after “${token}”, one for each token of the vocabulary`,
  id: (id: number) => `id ${id}`,

  pipeline: 'Sampling, stage by stage',
  pipelineNote: (shown: number, apart: boolean) =>
    `The ${shown} tokens with the largest logits${apart ? ' and the one drawn' : ''}, and what each stage leaves of them. Bars are probabilities; the other tokens are counted below.`,
  token: 'Token',
  stage: {
    logits: 'Logits',
    penalties: 'Penalties',
    temperature: 'Temperature',
    topK: 'Top-k',
    topP: 'Top-p',
    minP: 'Min-p',
    typicalP: 'Typical-p',
  } satisfies Record<SamplingStage['name'], string>,
  setting: {
    logits: 'as they are',
    greedy: '0: the largest is taken',
    temperature: (by: number) => `logits / ${by}, softmax`,
    topK: (k: number) => `the ${k} likeliest`,
    topP: (p: number) => `until ${percent(p)} is reached`,
    minP: (share: number) => `at least ${percent(share)} of the likeliest`,
    typicalP: (mass: number) => `the typical ${percent(mass)}`,
  },
  penalty: {
    repetitionPenalty: (by: number) => `repetition ${by}`,
    frequencyPenalty: (by: number) => `frequency ${by} (nothing written yet)`,
    presencePenalty: (by: number) => `presence ${by} (nothing written yet)`,
  },
  remain: (left: number) => (left === 1 ? '1 remains' : `${count.format(left)} remain`),
  others: (left: number) => `${count.format(left)} others`,
  tail: (mass: number) => percent(mass),
  cut: 'cut',
  untouched: 'Without your changes',
  untouchedNote: 'last stage',
  off: (names: readonly string[]) => `Off: ${names.join(', ')}. Switch them on beside your text.`,
  logit: (token: string) => `Logit of “${token}”`,
  drawnMark: 'drawn',

  draw: 'The draw',
  greedy: (token: string) =>
    `Temperature 0 draws nothing: the token with the largest logit is next. That is “${token}”.`,
  number: (seed: number, u: number) => `Seed ${seed} gives ${u.toFixed(6)} as its first number.`,
  rule: (token: string, from: number, to: number) =>
    `Side by side in the order of their ids, the tokens fill 0 to 1; the number falls on “${token}”, from ${from.toFixed(4)} to ${to.toFixed(4)}.`,
  line: (u: number, token: string) =>
    `The tokens side by side from 0 to 1, with the number ${u.toFixed(4)} on “${token}”`,
  completeWrites: 'It is what Complete writes first with these settings.',
  changed: 'Complete itself runs without your changes.',
  within: 'This is a place within your text; sampling from here would begin with that token.',
  goesOn: (token: string, rank: number, share: number) =>
    `Your text goes on with “${token}”: number ${count.format(rank)} of the model’s own ranking, ${percent(share)}.`,
  logitValue: shortNumber,
};
