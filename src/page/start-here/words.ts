import { percent, visible } from '../format.ts';
import type { Start, StartName } from './texts.ts';

type Facts = { next: (token: string) => string; rank: string; looks: string; pieces: readonly string[] };

const headOf = ({ layer, head, token, share }: NonNullable<Start['looks']>) =>
  `one of the model’s parts that look back, head ${head} of block ${layer}, gives “${visible(token)}” ${percent(share)} of its attention`;

export const words = {
  inside: 'See it inside',
  other: 'These findings are of Tiny Tales, the model that this page brings along.',
  texts: {
    sure: [
      'Where there is no doubt',
      ({ next }) =>
        `The model gives every token it knows a share. Here two take nearly all: the comma gets ${next(',')}, “${visible(' there')}” ${next(' there')}. Press Complete, then Another: it nearly always begins with one of the two.`,
    ],
    who: [
      'Who is meant',
      ({ next, looks }) =>
        `“${visible(' She')}” comes next with ${next(' She')}, “${visible(' He')}” with ${next(' He')}. At the full stop, where that is chosen, only attention knows of the girl: ${looks}. Put “Tom was a little boy.” in its place, and see what follows.`,
    ],
    repeats: [
      'It repeats rather than thinks',
      ({ next, looks }) =>
        `You would say “cat”. The model says “${visible(' bird')}” with ${next(' bird')}, and “${visible(' cat')}” with ${next(' cat')}. It takes what was named before, sense or no sense: at “the”, ${looks}.`,
    ],
    facts: [
      'What it never read',
      ({ next }) =>
        `“${visible(' green')}” gets ${next(' green')}, less than “${visible(' a')}” with ${next(' a')}. It read children’s tales, and says what is likely in one, not what is true.`,
    ],
    surprise: [
      'A word out of place',
      ({ rank }) =>
        `Each token is coloured by how many others the model would sooner have expected. For “refrigerator” they are ${rank}. Click it, to see what they were.`,
    ],
    pieces: [
      'One word, many tokens',
      ({ pieces }) =>
        `The model reads no letters and no words but tokens: its first word is ${pieces.length} of them, ${pieces.join(' · ')}. Each is a row of the table in which the model looks it up.`,
    ],
  } satisfies Record<StartName, [title: string, finding: (facts: Facts) => string]>,
};

export function findingOf(name: StartName, { next = [], rank, looks, pieces = [] }: Start): string {
  const shares = new Map(next.map(([token, share]) => [token, percent(share)]));
  const facts: Facts = {
    next: (token) => shares.get(token)!,
    rank: (rank ? rank[1] - 1 : 0).toLocaleString('en'),
    looks: looks ? headOf(looks) : '',
    pieces,
  };
  return words.texts[name][1](facts);
}
