import { signal } from '@preact/signals';

/** What the visitor wrote in the room that is open, for links; undefined where it stands as it was found. */
export const roomText = signal<string | undefined>(undefined);
