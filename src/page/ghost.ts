import { batch, effect, signal } from '@preact/signals';
import type { Token } from '../index.ts';
import { shown } from './models.ts';
import { remember, remembered } from './state/kept.ts';
import { accept, composing, phase, shownText } from './writing.ts';

/** What the model would write next, offered in grey behind the text until the visitor takes it or writes on. */
interface Ghost {
  /** The text it goes on from. */
  after: string;
  tokens: readonly Token[];
}

export const ghost = signal<Ghost | undefined>(undefined);

export const ghostOn = signal(remembered('ghost') !== 'off');

/** Shorter than the time between two keystrokes: what is typed through it costs a run that is aborted. */
const settleMs = 20;
const longest = 12;

let abort = new AbortController();
let warming = new AbortController();

/** Offers the likeliest continuation whenever the visitor has typed and pauses. */
export function followTyping(): void {
  let timer = 0;
  let former = shownText.value;
  effect(() => {
    // The first run compiles kernels, which takes seconds on some GPUs: before the first keystroke rather than after it.
    warming.abort();
    warming = new AbortController();
    const { signal } = warming;
    if (shown.value && ghostOn.value) shown.value.model.complete(former, { maxNewTokens: 2, signal }).catch(() => {});
  });
  effect(() => {
    const text = shownText.value;
    const changed = text !== former;
    if (!composing.value) former = text;
    if (phase.value !== 'idle') warming.abort(); // what the visitor asked for compiles the same
    const model = shown.value?.model;
    const wanted = ghostOn.value && phase.value === 'idle' && !composing.value && model && text.trim();
    if (ghost.peek()?.after !== text) {
      abort.abort();
      clearTimeout(timer);
      ghost.value = undefined;
    }
    if (!wanted) dismiss();
    if (!wanted || !changed || ghost.peek()) return;
    abort = new AbortController();
    const { signal } = abort;
    timer = window.setTimeout(async () => {
      try {
        for await (const token of model.generate(text, { maxNewTokens: longest, signal })) {
          if (signal.aborted) return;
          ghost.value = { after: text, tokens: [...(ghost.value?.tokens ?? []), token] };
          if (/[.!?\n]/.test(token.text)) break; // a sentence is enough of an offer
        }
      } catch {
        // aborted, or the text is longer than the model reads: there is nothing to offer
      }
    }, settleMs);
  });
}

/** Takes the whole offer, or its first word. */
export function acceptGhost(howMuch: 'all' | 'word'): boolean {
  const offered = ghost.value;
  if (!offered || offered.after !== shownText.value) return false;
  const second = offered.tokens.findIndex(({ text }, i) => i > 0 && /^\s/.test(text));
  const count = howMuch === 'all' || second < 0 ? offered.tokens.length : second;
  const [taken, left] = [offered.tokens.slice(0, count), offered.tokens.slice(count)];
  const after = offered.after + taken.map(({ text }) => text).join('');
  abort.abort(); // what it would still add goes behind the old text
  batch(() => {
    ghost.value = left.length > 0 ? { after, tokens: left } : undefined;
    accept(taken);
  });
  return true;
}

export function dismiss(): boolean {
  const was = ghost.peek();
  abort.abort();
  ghost.value = undefined;
  return was !== undefined;
}

export function switchGhost(): void {
  ghostOn.value = !ghostOn.value;
  remember('ghost', ghostOn.value ? undefined : 'off');
}
