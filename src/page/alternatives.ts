import { effect, signal } from '@preact/signals';
import type { WorkerModel } from '../embed/client.ts';
import { explain } from './failure.ts';
import { failure, retry, shown } from './models.ts';
import { largest, shareOf } from './shares.ts';
import { type TextToken, tokensNow } from './tokens.ts';
import { branchAt, phase, shownText } from './writing.ts';

/** What else could stand where a token of the text stands. */
interface Alternatives {
  token: TextToken;
  /** The likeliest tokens there, with the model's own probabilities: no sampling settings apply. */
  likeliest: { id: number; text: string; probability: number }[];
}

interface Question {
  /** Of the token that is asked about, in this text as this model reads it. */
  index: number;
  text: string;
  model: WorkerModel;
  /** The mouse leaves the caret where it was put; keys go on in the list. */
  by: 'mouse' | 'keys';
  /** Undefined until the model has answered. */
  found?: Alternatives;
}

export const asked = signal<Question | undefined>(undefined);

const count = 10;

/** Lets go of a question when its text or its model is another. */
export function followAsked(): void {
  effect(() => {
    if (asked.value && !holds(asked.value)) asked.value = undefined;
  });
}

function holds({ text, model }: Pick<Question, 'text' | 'model'>): boolean {
  return phase.value === 'idle' && text === shownText.value && model === shown.value?.model;
}

/** Closes the list, if it is open. */
export function letGo(): boolean {
  const was = asked.peek();
  asked.value = undefined;
  return was !== undefined;
}

/** Asks about the token that holds, or ends at, a character of the text. */
export async function askAt(character: number, by: Question['by']): Promise<void> {
  if (!shown.value) return;
  const { ref, model } = shown.value;
  const text = shownText.value;
  try {
    const all = await tokensNow();
    const index = all.findLastIndex(({ start, text }) => text && start < Math.max(character, 1));
    if (index < 0 || !holds({ text, model })) return;
    const question = { index, text, model, by };
    asked.value = question;
    const found = await alternativesOf(all, index, model);
    if (asked.value === question) asked.value = { ...question, found };
  } catch (error) {
    if (!holds({ text, model })) return;
    asked.value = undefined;
    failure.value = explain(error, ref, 'run');
    retry.value = () => void askAt(character, by);
  }
}

async function alternativesOf(all: readonly TextToken[], index: number, model: WorkerModel): Promise<Alternatives> {
  const token = all[index]!;
  const { bosTokenId, nCtx } = model.config;
  const before = all.slice(Math.max(0, index - nCtx), index).map(({ id }) => id);
  if (before.length === 0 && bosTokenId !== null) before.push(bosTokenId);
  if (before.length === 0) return { token, likeliest: [] };
  const { data } = await model.logits(before);
  const likeliest = await Promise.all(
    largest(data, count).map(async (id) => ({
      id,
      text: await model.tokenizer.token(id),
      probability: shareOf(data, id),
    })),
  );
  return { token, likeliest };
}

/** Takes one of them: the text branches there. */
export function choose(found: Alternatives, { id, text, probability }: Alternatives['likeliest'][number]): void {
  if (asked.value?.found !== found) return;
  const { token } = found;
  asked.value = undefined;
  if (id !== token.id) branchAt(token.start, { id, text, logprob: Math.log(probability) });
}
