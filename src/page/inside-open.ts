import { signal } from '@preact/signals';

/** Whether the model stands open below the text. */
export const insideOpen = signal(false);
