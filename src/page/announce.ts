import { signal } from '@preact/signals';

/** What a screen reader says next. */
export const announcement = signal('');

/** Has it said, the same again too: what does not change is not read out, so it ends otherwise. */
export function announce(text: string): void {
  announcement.value = text === announcement.peek() ? `${text}\u00a0` : text;
}
