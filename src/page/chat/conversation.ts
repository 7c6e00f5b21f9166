import { effect, signal } from '@preact/signals';
import type { WorkerModel } from '../../embed/client.ts';
import type { ChatMessage, Completion } from '../../index.ts';
import { announce } from '../announce.ts';
import { randomSeed } from '../settings.ts';
import { store, stored } from '../state/kept.ts';
import { settings } from '../writing.ts';

/** The conversation: its turns, and the answer that is being written. */

export interface Turn {
  role: 'user' | 'assistant';
  content: string;
}

interface Conversation {
  system: string;
  turns: readonly Turn[];
}

/** Of before a reload. */
const former = stored<Conversation>(
  'conversation',
  ({ system, turns }) =>
    typeof system === 'string' &&
    turns.every(({ role, content }) => (role === 'user' || role === 'assistant') && typeof content === 'string'),
);

export const system = signal(former?.system ?? '');
export const turns = signal<readonly Turn[]>(former?.turns ?? []);
export const answering = signal(false);

effect(() => {
  if (!answering.value) store('conversation', { system: system.value, turns: turns.value } satisfies Conversation);
});
export const failure = signal<unknown>(undefined);
/** Of the last answer. */
export const last = signal<Pick<Completion, 'usage' | 'timing' | 'finishReason'> | undefined>(undefined);

let abort = new AbortController();

/** As the model's template takes them; an empty answer, just begun, is none. */
export function messages(): ChatMessage[] {
  const told = system.value.trim() ? [{ role: 'system', content: system.value }] : [];
  return [
    ...told,
    ...turns.value.filter(({ content }) => content !== '').map(({ role, content }) => ({ role, content })),
  ];
}

export function stop(): void {
  abort.abort();
}

/** Ends the conversation that is there. */
export function begin(): void {
  stop();
  turns.value = [];
  last.value = undefined;
  failure.value = undefined;
}

/**
 * The visitor's next turn, or another one in place of an earlier: what came after that is taken back, but stays where no word of an answer
 * comes of it.
 */
export function say(model: WorkerModel, content: string, at = turns.value.length): Promise<void> {
  const former = turns.value;
  turns.value = [...former.slice(0, at), { role: 'user', content }];
  return answer(model, at < former.length ? former : turns.value);
}

/** Another answer in place of the last one, which stays until the new one has a word. */
export function answerAnew(model: WorkerModel): Promise<void> {
  const former = turns.value;
  if (former.at(-1)?.role === 'assistant') turns.value = former.slice(0, -1);
  return answer(model, former);
}

/** `former`: the turns that are back if nothing is written. */
async function answer(model: WorkerModel, former: readonly Turn[]): Promise<void> {
  stop();
  abort = new AbortController();
  const { signal } = abort;
  const figures = last.value;
  failure.value = undefined;
  last.value = undefined;
  const asked = messages();
  const place = turns.value.length;
  const { seed: _, ...dials } = settings.value;
  turns.value = [...turns.value, { role: 'assistant', content: '' }];
  answering.value = true;
  const write = (content: string) => {
    turns.value = turns.value.map((turn, i) => (i === place ? { ...turn, content } : turn));
  };
  try {
    const tokens = model.chat(asked, { ...dials, seed: randomSeed(), signal });
    let text = '';
    for (;;) {
      const next = await tokens.next();
      // Another answer is under way, or another conversation has begun: what comes now belongs to neither.
      if (abort.signal !== signal || turns.value[place] === undefined) return;
      if (next.done) {
        last.value = next.value;
        break;
      }
      text += next.value.text;
      write(text);
    }
    announce(text);
  } catch (error) {
    if (!signal.aborted) failure.value = error;
  } finally {
    if (abort.signal === signal) answering.value = false;
    // An answer without a word is none.
    if (abort.signal === signal && turns.value[place]?.content === '') {
      turns.value = former;
      last.value = former.at(-1)?.role === 'assistant' ? figures : undefined;
    }
  }
}
