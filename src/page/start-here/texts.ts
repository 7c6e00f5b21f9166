import type { Colouring } from '../permalink.ts';

/** A text to begin with, and what Tiny Tales makes of it; the tests hold each number against the model. */
export interface Start {
  text: string;
  /** Shares of what may come next, each with its token. */
  next?: readonly (readonly [token: string, share: number])[];
  /** A token of the text with its rank among all that could stand there. */
  rank?: readonly [token: string, rank: number];
  /** A head that looks back from the last token, where it looks, and with how much of its attention. */
  looks?: { layer: number; head: number; at: number; token: string; share: number };
  /** Tokens of the text's first word. */
  pieces?: readonly string[];
  /** Shown in the text itself. */
  colouring?: Colouring;
  /** The station inside that shows it. */
  station: string;
}

export const starts = {
  sure: {
    text: 'Once upon a time',
    next: [
      [',', 0.809],
      [' there', 0.186],
    ],
    station: 'output',
  },
  who: {
    text: 'Lily was a little girl.',
    next: [
      [' She', 0.979],
      [' He', 0.0004],
    ],
    looks: { layer: 3, head: 0, at: 5, token: ' girl', share: 0.785 },
    station: 'block',
  },
  repeats: {
    text: 'The cat saw a bird. The bird saw the',
    next: [
      [' bird', 0.756],
      [' cat', 0.0016],
    ],
    looks: { layer: 5, head: 0, at: 4, token: ' bird', share: 0.585 },
    station: 'block',
  },
  facts: {
    text: 'The sky was blue and the grass was',
    next: [
      [' a', 0.175],
      [' green', 0.025],
    ],
    station: 'output',
  },
  surprise: {
    text: 'One day, Lily found a refrigerator in the garden.',
    rank: [' refrigerator', 7866],
    colouring: 'rank',
    station: 'output',
  },
  pieces: {
    text: 'Antidisestablishmentarianism is a long word.',
    pieces: ['Ant', 'idis', 'establishment', 'arian', 'ism'],
    colouring: 'probability',
    station: 'input',
  },
} as const satisfies Record<string, Start>;

export type StartName = keyof typeof starts;
