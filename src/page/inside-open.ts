import { signal } from '@preact/signals';

/** Whether the model stands open below the text. */
export const insideOpen = signal(false);

/** The visitor asked to see it: it is brought into view when it is there. */
export const arrival = signal(false);

/** Opens the model and brings it into view. */
export function lookInside(): void {
  arrival.value = true;
  insideOpen.value = true;
}

/** Where the visitor looks inside: kept here, outside the code that is fetched when it is opened, because links restore it. */
export interface View {
  /** The stations that are unfolded. */
  stations: readonly string[];
  layer: number;
  head: number;
  /** Undefined: the last token, whichever that is. */
  position: number | undefined;
}

/** What is tried out inside, spelled as links have it (inside/experiment.ts reads it). */
export interface Experiment {
  /** The cell whose origin is shown. */
  cell?: string | undefined;
  /** A lesson and its step. */
  lesson?: string | undefined;
  /** What is changed inside the model. */
  touches: readonly string[];
  /** The neuron that was chosen, by its number in its block. */
  neuron?: number | undefined;
  /** The token that is asked who spoke for it, and the one that it is held against, by their ids. */
  word?: number | undefined;
  rather?: number | undefined;
}

/** What of an experiment is a number in a link, under the same name. */
export const numbersTried = ['neuron', 'word', 'rather'] as const satisfies (keyof Experiment)[];

export const nothingTried: Experiment = { touches: [] };

/** What is tried out now. */
export const experiment = signal<Experiment>(nothingTried);
/** What a link asks to be tried out, until it is. */
export const askedExperiment = signal<Experiment | undefined>(undefined);

export const startingView: View = { stations: ['overview'], layer: 0, head: 0, position: undefined };

export const view = signal<View>(startingView);
