import { fixed } from '../../format.ts';

/** The lessons of the rooms, each on the visitor's own input. Translate this file. */
const n = (value: number) => fixed(value, 2);
const share = (value: number) => `${(100 * value).toFixed(1)} %`;

export const words = {
  normTitle: 'Lesson: add, then norm',
  normSummary: 'The first transformers put the norm behind each sum; GPT-2 moved it.',
  normNote:
    'Each part of a block adds what it found to what came in. In this model the sum itself then goes through the norm: its mean is taken away, it is divided by its spread, and each number gets a learned gain and bias.',
  normToken: 'Token',
  normParts: ['What comes in', 'What attention gives', 'The sum of both', 'The sum after its norm'],
  normSays: (token: string, spread: number, scale: number) =>
    `The sum of “${token}” spreads by ${n(spread)}: the norm divides by ${n(scale)}, so that every block gets numbers of a like size.`,
  normEach: (count: number) => `Spread of this token’s sum in each of the ${count} blocks, before and after the norm`,
  normBefore: 'before',
  normAfter: 'after',
  normWhy:
    'Where the norm stands before each part instead, as in GPT-2, nothing divides the sum: it grows from block to block, and what a block added stays as it was. That trains more easily in deep stacks.',

  sineTitle: 'Lesson: positions as waves',
  sineSummary: 'Nobody learned these numbers: they are sines and cosines.',
  sineNote: (width: number) =>
    `A row a token, ${width} numbers each: sines of ${width / 2} wavelengths on the left, cosines on the right. The first turn fast, the last barely.`,
  sinePosition: 'Token',
  sineSays: (at: number, i: number, width: number, value: number) =>
    `Number ${i} of token ${at} is sin(${at} / 10000^(${2 * i}/${width})) = ${fixed(value, 4)}.`,
  sineProducts: 'Product of each position with each other',
  sineProductsNote: (distance: number, first: number, other: number) =>
    `It depends on the distance alone. ${distance === 1 ? 'Neighbours' : `Positions ${distance} apart`}: ${first.toFixed(3)} at the beginning, ${other.toFixed(3)} at the end of your text. That is how attention can tell “two places back” wherever it is.`,

  crossTitle: 'Lesson: how one text asks another',
  crossSummary: 'Query, keys and values of cross-attention, with the numbers of one token.',
  crossNote: (token: string, layer: number, head: number) =>
    `To write “${token}”, head ${head} of block ${layer} makes a query of what is written so far. Keys and values come from the other part of the model, from what was read.`,
  crossCaption: 'The query with each key',
  crossToken: 'read',
  crossProduct: 'query · key',
  crossScaled: (by: string) => `× ${by}`,
  crossShare: 'share',
  crossSum: (sum: number) => `All shares together: ${sum.toFixed(3)}.`,
  crossSays: (token: string, key: string, value: number) =>
    `The largest product wins the largest share: “${token}” takes ${share(value)} of the value of “${key}”. The values, in these shares, go on to the next part.`,

  packTitle: 'Lesson: many texts, no padding',
  packSummary: 'Texts of different lengths run together without wasting a row.',
  packTexts: 'Texts, one a line',
  packNote:
    'A batch is often a rectangle: short texts are filled up with empty rows that are computed all the same. Here the rows of all texts lie one after the other, and each row is told which keys are its own text’s.',
  packPadded: (rows: number) => `As a rectangle: ${rows} rows`,
  packPacked: (rows: number) => `Packed: ${rows} rows`,
  packRow: (text: number) => `Text ${text + 1}`,
  packSays: (saved: number) => `${share(saved)} of the rectangle would be empty.`,
  packSame: (difference: number) =>
    difference === 0
      ? 'Each text gives exactly what it gives alone: no number differs.'
      : `Each text gives what it gives alone: no number differs by more than ${difference.toExponential(1).replace('-', '−')}.`,

  maskTitle: 'Lesson: learning from blanks',
  maskSummary: 'What this model was trained to do, on your text.',
  maskNote:
    'In training some 15 % of the words of a text are taken away at random, and the model is to say which they were. The loss is how surprised it is. Here each token is taken away in turn.',
  maskRun: 'Take each away in turn',
  maskOf: (done: number, all: number) => `${done} of ${all} tokens`,
  maskSays: (loss: number, perplexity: number) =>
    `Mean surprise, the loss: ${n(loss)}. The model is as unsure as if it chose among ${perplexity.toFixed(1)} words each time.`,
  maskEach: 'Each token with the probability that it gets where it stood',
};
