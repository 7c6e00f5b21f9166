import type { LanguageModel, ModelTokenizer, TopToken } from '../../index.ts';
import { logSumExp } from '../../run/log-sum-exp.ts';
import { best } from '../../run/sampling.ts';
import type { Logprobs } from './types.ts';

/** A token and what the model says of it; nothing predicts a text's first token. */
export interface Judged {
  id: number;
  logprob: number | null;
  top?: readonly Omit<TopToken, 'text'>[];
}

/** Writes tokens' log-probabilities as OpenAI's API does, one token behind the other in one text. */
export class LogprobWriter {
  readonly #tokenizer: ModelTokenizer;
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  /** UTF-16 units of the text so far, whole characters only. */
  #offset = 0;

  constructor(model: LanguageModel) {
    this.#tokenizer = model.tokenizer;
  }

  async write(tokens: readonly Judged[]): Promise<Logprobs> {
    const logprobs: Logprobs = { text_offset: [], token_logprobs: [], tokens: [], top_logprobs: [] };
    for (const { id, logprob, top } of tokens) {
      const bytes = await this.#tokenizer.bytes(id);
      const name = nameOf(bytes);
      logprobs.tokens.push(name);
      logprobs.text_offset.push(this.#offset);
      logprobs.token_logprobs.push(logprob as number);
      const others = top?.filter((other) => other.id !== id).map(async (other) => this.#entry(other)) ?? [];
      // Best first, as they come; the token itself stands last where it is none of them.
      const entries = await Promise.all(others);
      const own: [string, number][] = logprob === null ? [] : [[name, logprob]];
      const at = top?.findIndex((other) => other.id === id) ?? -1;
      entries.splice(at < 0 ? entries.length : at, 0, ...own);
      logprobs.top_logprobs.push((logprob === null ? null : Object.fromEntries(entries)) as Record<string, number>);
      this.#offset += this.#decoder.decode(bytes as Uint8Array<ArrayBuffer>, { stream: true }).length;
    }
    return logprobs;
  }

  async #entry({ id, logprob }: Omit<TopToken, 'text'>): Promise<[string, number]> {
    return [nameOf(await this.#tokenizer.bytes(id)), logprob];
  }
}

/** A token's text; bytes that are no whole characters are spelled out, so that two of them have two names. */
function nameOf(bytes: Uint8Array): string {
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes as Uint8Array<ArrayBuffer>);
  if (!text.includes('\uFFFD')) return text;
  return `bytes:${Array.from(bytes, (byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('')}`;
}

/** Positions whose logits are asked for at once: 64 of GPT-2's are 13 MB. */
const atOnce = 64;

/** What the model says of a prompt's own tokens, with the `count` likeliest at each place. */
export async function judgePrompt(
  model: LanguageModel,
  ids: readonly number[],
  count: number,
  signal: AbortSignal,
): Promise<Judged[]> {
  const judged: Judged[] = ids.slice(0, 1).map((id) => ({ id, logprob: null }));
  const { vocabSize } = model.config;
  for (let from = 0; from < ids.length - 1; from += atOnce) {
    const positions = Array.from({ length: Math.min(atOnce, ids.length - 1 - from) }, (_, i) => from + i);
    const { data } = await model.logits(ids, { positions, signal });
    for (const [row, position] of positions.entries()) {
      const logits = data.subarray(row * vocabSize, (row + 1) * vocabSize);
      const total = logSumExp(logits);
      const id = ids[position + 1]!;
      const top = count > 0 ? best(logits, count).map((other) => ({ id: other, logprob: logits[other]! - total })) : [];
      judged.push({ id, logprob: logits[id]! - total, top });
    }
  }
  return judged;
}
