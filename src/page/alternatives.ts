import { signal } from '@preact/signals';
import { shown } from './models.ts';
import { type TextToken, tokensNow } from './tokens.ts';
import { branchAt } from './writing.ts';

/** What else could stand where a token of the text stands. */
export interface Alternatives {
  index: number;
  token: TextToken;
  /** The likeliest tokens there, with the model's own probabilities: no sampling settings apply. */
  likeliest: { id: number; text: string; probability: number }[];
}

/** The index of the token that is asked about, and what is known of it. */
export const asked = signal<{ index: number; found?: Alternatives } | undefined>(undefined);

const count = 10;

/** Asks about the token that holds, or ends at, a character of the text. */
export async function askAt(character: number): Promise<void> {
  const model = shown.value?.model;
  const all = await tokensNow();
  const index = all.findLastIndex(({ start, text }) => text && start < Math.max(character, 1));
  const token = all[index];
  if (!model || !token) return;
  asked.value = { index };
  const { bosTokenId, nCtx } = model.config;
  const before = all.slice(Math.max(0, index - nCtx), index).map(({ id }) => id);
  if (before.length === 0 && bosTokenId !== null) before.push(bosTokenId);
  if (before.length === 0) return;
  const { data } = await model.logits(before);
  const likeliest = await Promise.all(
    largest(data).map(async (id) => ({ id, text: await model.token(id), probability: probabilityOf(data, id) })),
  );
  if (asked.value?.index === index) asked.value = { index, found: { index, token, likeliest } };
}

/** Takes one of them: the text branches there. */
export function choose({ token }: Alternatives, { id, text, probability }: Alternatives['likeliest'][number]): void {
  asked.value = undefined;
  if (id !== token.id) branchAt(token.start, { id, text, logprob: Math.log(probability) });
}

function largest(logits: Float32Array): number[] {
  const best: number[] = [];
  for (let id = 0; id < logits.length; id++) {
    if (best.length === count && logits[id]! <= logits[best[count - 1]!]!) continue;
    const place = best.findIndex((other) => logits[other]! < logits[id]!);
    best.splice(place < 0 ? best.length : place, 0, id);
    best.length = Math.min(best.length, count);
  }
  return best;
}

function probabilityOf(logits: Float32Array, id: number): number {
  return 1 / logits.reduce((sum, logit) => sum + Math.exp(logit - logits[id]!), 0);
}
