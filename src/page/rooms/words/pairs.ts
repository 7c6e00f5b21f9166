import type { EmbeddedName } from '../../embedded.ts';
import { fixed } from '../../format.ts';

/** The words of the room in which one text is read and another written. Translate this file. */

interface Task {
  /** Stands before the text, as the model learned it. */
  prefix: string;
  name: string;
  example: string;
}

/** What can be tried with a model of this page. */
export const examples: Partial<Record<EmbeddedName, readonly string[]>> = {
  'tiny-dates': [
    'the third of March 2019',
    '2019年三月三日',
    'nineteen eighty-four, December 25',
    '31.12.1999',
    '12/25/1999',
    "Sept 11, '01",
  ],
  'tiny-translate': [
    'He can’t know the truth.',
    'This is how you do it.',
    'I do not want to go home.',
    'Where is my brother?',
    'We will see the sea tomorrow.',
  ].map((text) => text.replace('’', "'")),
};

export const tasks: readonly Task[] = [
  { prefix: 'plural', name: 'plural', example: 'mouse' },
  { prefix: 'singular', name: 'singular', example: 'wolves' },
  { prefix: 'past', name: 'past tense', example: 'go' },
  { prefix: 'opposite', name: 'opposite', example: 'hot' },
  { prefix: 'number', name: 'words to a number', example: 'forty two' },
  { prefix: 'words', name: 'a number to words', example: '1984' },
  { prefix: 'roman', name: 'to Roman', example: '2024' },
  { prefix: 'arabic', name: 'from Roman', example: 'XLII' },
  { prefix: 'reverse', name: 'backwards', example: 'vitrine' },
  { prefix: 'sort', name: 'letters in order', example: 'banana' },
  { prefix: 'count', name: 'count a letter', example: 'r in strawberry' },
  { prefix: 'add', name: 'add', example: '27 + 15' },
];

const titles: Partial<Record<EmbeddedName, [title: string, lead: string]>> = {
  'tiny-dates': [
    'Write a date, any way',
    'One part reads the date whole, the other writes it again, a character at a time, and looks back at what was read.',
  ],
  'tiny-translate': [
    'Say something in English',
    'One part reads the sentence whole, the other writes it in French, a piece at a time, and looks back at what was read.',
  ],
  'tiny-tasks': [
    'Choose a task, and give it a word',
    'One model, many tasks: the first word says which. One part reads all of it, the other writes the answer and looks back.',
  ],
};

export const titleOf = (name: EmbeddedName | undefined): [title: string, lead: string] =>
  (name && titles[name]) ?? [
    'Give it a text',
    'One part reads the text whole, the other writes another, a piece at a time, and looks back at what was read.',
  ];

export const words = {
  source: 'What it reads',
  task: 'Task',
  word: 'Text of the task',
  written: 'What it writes',
  write: 'Write',
  writing: 'Writing…',
  stopped: 'stopped',
  empty: 'Give it something to read.',
  tokens: (count: number, perSecond: number) =>
    `${count} tokens${perSecond > 0 ? `, ${perSecond < 10 ? perSecond.toFixed(1) : Math.round(perSecond)} a second` : ''}`,
  end: 'end',
  lookTitle: 'What it looks at while it writes',
  lookSummary: 'Cross-attention: each token that is written reads from all that was read.',
  lookNote:
    'The thicker a line, the larger the share of that token. Choose a token on the right, or a head: a row of pictures a block, tokens written downwards, tokens read across.',
  lookedAt: (token: string, share: string) => `“${token}”, written with ${share}, looked at`,
  beamsTitle: 'Other ways it might have gone',
  beamsSummary: 'Beam search: the best texts side by side, as a tree.',
  beamsNote: (count: number) =>
    `Instead of the likeliest token alone, the ${count} likeliest texts are kept at every step. These are left at the end, with the probability of each token; a branch is where they part.`,
  beams: 'Texts kept',
  score: (score: number) => fixed(score, 2),
  scoreTitle: 'Log-probability, divided by the length',
  searching: 'Searching…',
  failed: (why: string) => `This could not be written: ${why}`,
};
