import { signal } from '@preact/signals';

/** What a screen reader says next; said once, when it changes. */
export const announcement = signal('');
