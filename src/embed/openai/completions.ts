import type { Completion as EngineCompletion, FinishReason, LanguageModel, Prompt, Sequence } from '../../index.ts';
import { apiError } from './error.ts';
import { type Judged, judgePrompt, LogprobWriter } from './logprobs.ts';
import type { CompletionRequest } from './params.ts';
import type { Completion, CompletionChoice, CompletionUsage, Logprobs } from './types.ts';

/** What one step adds to a choice; the last one of a choice says why it ended. */
interface Part {
  index: number;
  text: string;
  logprobs: Logprobs | null;
  finish: CompletionChoice['finish_reason'] | null;
}

/** One request at work. */
interface Work {
  model: LanguageModel;
  request: CompletionRequest;
  signal: AbortSignal;
  usage: CompletionUsage;
}

/** What all chunks of an answer have in common. */
type Head = Omit<Completion, 'choices' | 'usage'>;

const finishReasons: Record<FinishReason, CompletionChoice['finish_reason']> = {
  stop: 'stop',
  eos: 'stop',
  length: 'length',
  context: 'length',
  abort: 'stop',
};

/** The whole answer at once. @throws APIError; the signal's reason when it aborts */
export async function answer(
  model: LanguageModel,
  name: string,
  request: CompletionRequest,
  signal: AbortSignal,
): Promise<Completion> {
  const work = workOf(model, request, signal);
  const choices: CompletionChoice[] = [];
  for await (const { index, text, logprobs, finish } of partsOf(work)) {
    const choice = (choices[index] ??= { finish_reason: 'length', index, logprobs: null, text: '' });
    choice.text += text;
    if (finish) choice.finish_reason = finish;
    if (logprobs) choice.logprobs = joined(choice.logprobs, logprobs);
  }
  return { ...headOf(model, name), choices, usage: work.usage };
}

/** The answer as it comes, a chunk for each token. Choices after the first of a prompt come whole, once they are done. */
export async function* chunks(
  model: LanguageModel,
  name: string,
  request: CompletionRequest,
  signal: AbortSignal,
): AsyncGenerator<Completion> {
  const work = workOf(model, request, signal);
  const head = headOf(model, name);
  // OpenAI's API sends null for what only the last chunk knows, though its types do not say so.
  const noUsage = request.includeUsage ? { usage: null as unknown as CompletionUsage } : {};
  for await (const { index, text, logprobs, finish } of partsOf(work)) {
    if (text === '' && !logprobs && !finish) continue;
    const choice = { finish_reason: finish as CompletionChoice['finish_reason'], index, logprobs, text };
    yield { ...head, choices: [choice], ...noUsage };
  }
  if (request.includeUsage) yield { ...head, choices: [], usage: work.usage };
}

function workOf(model: LanguageModel, request: CompletionRequest, signal: AbortSignal): Work {
  const prompt_tokens_details = { cached_tokens: 0 };
  const usage = { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0, prompt_tokens_details };
  return { model, request, signal, usage };
}

function headOf({ device }: LanguageModel, name: string): Head {
  return {
    id: randomId('cmpl'),
    object: 'text_completion',
    created: Math.floor(Date.now() / 1000),
    model: name,
    system_fingerprint: `vitrine-${device.kind}-${device.dtype}`,
  };
}

/** Not `crypto.randomUUID`, which only secure contexts have. */
export function randomId(kind: string): string {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return `${kind}-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

async function* partsOf(work: Work): AsyncGenerator<Part> {
  try {
    for (const [i, prompt] of work.request.prompts.entries()) yield* promptParts(work, prompt, i * work.request.n);
  } catch (error) {
    throw work.signal.aborted ? work.signal.reason : apiError(error);
  }
}

/** The choices of one prompt, the first of which has this index. */
async function* promptParts(work: Work, prompt: Prompt, first: number): AsyncGenerator<Part> {
  const { model, request, signal } = work;
  const { n, candidates, echo, maxTokens, options } = request;
  const all = Array.from({ length: n }, (_, i) => i);
  const writers = all.map(() => new LogprobWriter(model));
  const part = async (i: number, text: string, tokens: readonly Judged[], finish: Part['finish'] = null) => {
    const logprobs = request.logprobs === undefined || tokens.length === 0 ? null : await writers[i]!.write(tokens);
    return { index: first + i, text, logprobs, finish };
  };
  if (echo) {
    const echoed = await echoOf(work, prompt);
    for (const i of all) yield await part(i, echoed.text, echoed.tokens);
  }
  if (maxTokens === 0) {
    count(work.usage, (await idsOf(model, prompt)).length, 0, 0);
    for (const i of all) yield await part(i, '', [], 'length');
    return;
  }
  const tokens = model.generate(prompt, { ...options, signal });
  const live = candidates <= n; // else it is not known yet which ones are best
  try {
    let next = await tokens.next();
    for (; !next.done; next = await tokens.next()) if (live) yield await part(0, next.value.text, [next.value]);
    const { usage } = next.value;
    count(work.usage, usage.prompt, candidates === 1 ? usage.completion * n : usage.completion, usage.cached);
    const sequences = ranked(next.value, n);
    for (const i of all.slice(live ? 1 : 0)) yield await part(i, sequences[i]!.text, judgedOf(sequences[i]!));
    for (const i of all) yield await part(i, '', [], finishReasons[sequences[i]!.finishReason]);
  } finally {
    await tokens.return(undefined as never); // the caller may have left
  }
}

async function idsOf(model: LanguageModel, prompt: Prompt): Promise<readonly number[]> {
  return typeof prompt === 'string' ? model.tokenizer.encode(prompt) : prompt;
}

/** The prompt's text, and its tokens if their log-probabilities are wanted. */
async function echoOf({ model, request, signal }: Work, prompt: Prompt): Promise<{ text: string; tokens: Judged[] }> {
  const text = typeof prompt === 'string' ? prompt : await model.tokenizer.decode([...prompt]);
  if (request.logprobs === undefined) return { text, tokens: [] };
  return { text, tokens: await judgePrompt(model, await idsOf(model, prompt), request.logprobs, signal) };
}

/** The n choices: of more candidates those with the highest log-probability per token; of one greedy text n copies. */
function ranked(completion: EngineCompletion, n: number): Sequence[] {
  const { sequences = [completion] } = completion;
  if (sequences.length === 1) return Array.from({ length: n }, () => sequences[0]!);
  if (sequences.length === n) return sequences;
  const mean = ({ logprobs }: Sequence) => logprobs.reduce((sum, logprob) => sum + logprob, 0) / logprobs.length;
  return [...sequences].sort((a, b) => mean(b) - mean(a)).slice(0, n);
}

function judgedOf({ ids, logprobs, top }: Sequence): Judged[] {
  return ids.map((id, i) => ({ id, logprob: logprobs[i]!, top: top?.[i] }));
}

function count(usage: CompletionUsage, prompt: number, completion: number, cached: number): void {
  usage.prompt_tokens += prompt;
  usage.completion_tokens += completion;
  usage.total_tokens += prompt + completion;
  usage.prompt_tokens_details.cached_tokens += cached;
}

function joined(before: Logprobs | null, after: Logprobs): Logprobs {
  if (!before) return after;
  return {
    text_offset: [...before.text_offset, ...after.text_offset],
    token_logprobs: [...before.token_logprobs, ...after.token_logprobs],
    tokens: [...before.tokens, ...after.tokens],
    top_logprobs: [...before.top_logprobs, ...after.top_logprobs],
  };
}
