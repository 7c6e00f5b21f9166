import type { Inspection } from '../index.ts';

/** What a model is for: `decoder` writes, the others have rooms of their own. */
export type Kind = Inspection['kind'];

/** The models that come with the page, by their folders. */
export const embeddedKinds = {
  'tiny-tales': 'decoder',
  'tiny-digits': 'vision',
  'tiny-dates': 'encoder-decoder',
  'tiny-translate': 'encoder-decoder',
  'tiny-blanks': 'encoder',
  'tiny-tasks': 'encoder-decoder',
} as const satisfies Record<string, Kind>;

export type EmbeddedName = keyof typeof embeddedKinds;
