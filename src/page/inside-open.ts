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

export const startingView: View = { stations: ['overview'], layer: 0, head: 0, position: undefined };

export const view = signal<View>(startingView);
