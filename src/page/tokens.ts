import { computed, effect, signal } from '@preact/signals';
import type { WorkerModel } from '../embed/client.ts';
import { shown } from './models.ts';
import type { Colouring } from './permalink.ts';
import { phase, shownText } from './writing.ts';

/** The text as the model reads it: token by token, and how it takes each one. */
export interface TextToken {
  id: number;
  /** What it adds to the text; empty within a character of several tokens. */
  text: string;
  /** Where that begins in the text. */
  start: number;
  /** In nats; null for the first token, which nothing predicts. */
  logprob: number | null;
  /** 1 for the likeliest. */
  rank: number | null;
  /** Of the distribution that it was one of, in nats. */
  entropy: number | null;
}

/** What the tokens are coloured by; undefined for not at all. */
export const colouring = signal<Colouring | undefined>(undefined);

const read = signal<{ model: WorkerModel; text: string; tokens: TextToken[] } | undefined>(undefined);

/** The tokens of the text as it is; undefined until they have been read. */
export const tokens = computed(() => {
  const { model, text, tokens } = read.value ?? {};
  return text === shownText.value && model === shown.value?.model ? tokens : undefined;
});

/** How surprised the model is by a text: e to the mean of -log p over the tokens that it predicts. Undefined for fewer than two. */
export function perplexityOf(all: readonly Pick<TextToken, 'logprob'>[]): number | undefined {
  const known = all.flatMap(({ logprob }) => (logprob === null ? [] : [logprob]));
  return known.length > 0 ? Math.exp(-known.reduce((sum, one) => sum + one, 0) / known.length) : undefined;
}

const settleMs = 200;

/** Reads the tokens of the text while they are coloured, once the visitor pauses and nothing is written. */
export function followTokens(): void {
  let abort = new AbortController();
  let timer = 0;
  effect(() => {
    const text = shownText.value;
    const idle = phase.value === 'idle';
    abort.abort();
    abort = new AbortController();
    clearTimeout(timer);
    if (!colouring.value || !shown.value || !idle || tokens.peek()) return;
    const { signal } = abort;
    timer = window.setTimeout(() => void readTokens(text, signal).catch(() => {}), settleMs);
  });
}

/** The tokens of the text as it is now, read if they have not been. */
export async function tokensNow(signal?: AbortSignal): Promise<TextToken[]> {
  return tokens.value ?? (await readTokens(shownText.value, signal));
}

/**
 * What the model reads of a text, where it writes on, too: with what begins a text, without what ends one; and where in the text each id
 * starts. A character of several ids comes with its last one, and what a vocabulary drops with the one before it.
 */
export async function readOf(model: WorkerModel, text: string): Promise<{ ids: number[]; starts: number[] }> {
  const { ids, offsets, sequence } = await model.tokenizer.inputs(text);
  const count = sequence.findLastIndex((one) => one !== null) + 1;
  return { ids: ids.slice(0, count), starts: ids.slice(0, count).map((_, i) => (i === 0 ? 0 : offsets[i]![0])) };
}

async function readTokens(text: string, signal?: AbortSignal): Promise<TextToken[]> {
  const model = shown.value?.model;
  if (!model || !text) return [];
  const { ids, logprobs, ranks, entropies } = await model.score(text, { signal });
  const { starts } = await readOf(model, text);
  const all = ids.map((id, i): TextToken => {
    const [start, end] = [starts[i]!, starts[i + 1] ?? text.length];
    return { id, text: text.slice(start, end), start, logprob: logprobs[i]!, rank: ranks[i]!, entropy: entropies[i]! };
  });
  signal?.throwIfAborted();
  if (shown.value?.model === model) read.value = { model, text, tokens: all };
  return all;
}

/** Nats from which entropy has its full colour: a text's entropies lie far below that of a draw from all words alike. */
const fullEntropy = 5;

/** How strongly a token is drawn, 0 to 1. */
export function shadeOf(token: TextToken, by: Colouring, vocabSize: number): number | undefined {
  if (by === 'entropy') return token.entropy === null ? undefined : Math.min(1, token.entropy / fullEntropy);
  return strengthOf(token, by, vocabSize);
}

/** How much less than everything the model expected a token, 0 to 1, on the scale of the vocabulary. */
export function strengthOf(token: TextToken, by: Colouring, vocabSize: number): number | undefined {
  const { logprob, rank, entropy } = token;
  if (logprob === null || rank === null || entropy === null) return undefined;
  switch (by) {
    case 'probability':
      return 1 - Math.exp(logprob);
    case 'rank':
      return Math.log(rank) / Math.log(vocabSize);
    case 'entropy':
      return entropy / Math.log(vocabSize);
    default:
      return by satisfies never;
  }
}
