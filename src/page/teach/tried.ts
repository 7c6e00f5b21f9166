import { signal } from '@preact/signals';
import { words } from './words.ts';

/** The text that the visitor tries. */
export const tried = signal(words.tryOpening);
