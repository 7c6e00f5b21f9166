/**
 * A loaded model for the Vercel AI SDK.
 * @module vitrine/ai-sdk
 */
import type { Completion, FinishReason, GenerateOptions, LanguageModel, Token } from '../index.ts';
import { checkOptions, isString } from '../run/check.ts';
import { plainPrompt } from './ai-sdk/prompt.ts';
import type * as sdk from './ai-sdk/types.ts';
import { unsignedSeed } from './seed.ts';

export type * from './ai-sdk/types.ts';

/** A call ready for the engine. */
interface Call {
  text: string;
  options: GenerateOptions;
  warnings: sdk.Warning[];
}

const finishReasons: Record<FinishReason, sdk.FinishReason['unified']> = {
  stop: 'stop',
  eos: 'stop',
  length: 'length',
  context: 'length',
  abort: 'other',
};

/**
 * A loaded model as the AI SDK's language model. Settings that it does not have (tools, JSON, reasoning) come back as warnings;
 * `providerOptions.vitrine` takes all of `generate`'s options. Without `maxOutputTokens` a text has 64 tokens.
 * Throws VitrineErrors; an aborted call rejects with its signal's reason.
 *
 *     const { text } = await generateText({ model: vitrine(model), prompt: 'Once upon a time' });
 */
export function vitrine(model: Pick<LanguageModel, 'generate'>, settings: { id?: string } = {}): sdk.LanguageModelV4 {
  checkOptions('vitrine', settings, { id: isString });
  const { id: modelId = 'vitrine' } = settings;
  const response = () => ({ id: crypto.getRandomValues(new Uint32Array(4)).join('-'), timestamp: new Date(), modelId });
  return {
    specificationVersion: 'v4',
    provider: 'vitrine',
    modelId,
    supportedUrls: {},
    async doGenerate(given) {
      const { text, options, warnings } = readCall(given);
      const tokens = model.generate(text, options);
      let next = await tokens.next();
      while (!next.done) next = await tokens.next();
      const content = [{ type: 'text' as const, text: next.value.text }];
      return { content, ...endOf(next.value), response: response(), warnings };
    },
    async doStream(given) {
      const { text, options, warnings } = readCall(given);
      const tokens = model.generate(text, options);
      const first = await tokens.next(); // a call that cannot be met fails before there is a stream
      const head: sdk.StreamPart[] = [
        { type: 'stream-start', warnings },
        { type: 'response-metadata', ...response() },
        { type: 'text-start', id: '0' },
      ];
      return { stream: streamOf(parts(head, first, tokens, given.includeRawChunks ?? false), given.abortSignal) };
    },
  };
}

function readCall(given: sdk.CallOptions): Call {
  const { text, stop, warnings } = plainPrompt(given.prompt);
  const { tools, responseFormat, reasoning, toolChoice } = given;
  const unsupported = {
    tools: tools && tools.length > 0,
    toolChoice: toolChoice !== undefined && !['auto', 'none'].includes(toolChoice.type),
    responseFormat: responseFormat?.type === 'json',
    reasoning: reasoning !== undefined && !['provider-default', 'none'].includes(reasoning),
  };
  for (const [feature, asked] of Object.entries(unsupported)) {
    if (asked) warnings.push({ type: 'unsupported', feature, details: 'The model writes plain text.' });
  }
  return {
    text,
    warnings,
    options: {
      maxNewTokens: given.maxOutputTokens,
      temperature: given.temperature,
      topP: given.topP,
      topK: given.topK,
      presencePenalty: given.presencePenalty,
      frequencyPenalty: given.frequencyPenalty,
      seed: given.seed === undefined ? undefined : unsignedSeed(given.seed),
      stop: [...stop, ...(given.stopSequences ?? [])],
      ...given.providerOptions?.vitrine,
      signal: given.abortSignal,
    },
  };
}

function endOf({ finishReason, usage, seed, timing }: Completion) {
  const { prompt, completion, cached } = usage;
  return {
    finishReason: { unified: finishReasons[finishReason], raw: finishReason },
    usage: {
      inputTokens: { total: prompt, noCache: prompt - cached, cacheRead: cached, cacheWrite: undefined },
      outputTokens: { total: completion, text: completion, reasoning: undefined },
    },
    providerMetadata: { vitrine: { seed, tokensPerSecond: timing.tokensPerSecond } },
  };
}

type Tokens = AsyncGenerator<Token, Completion>;

async function* parts(
  head: sdk.StreamPart[],
  first: IteratorResult<Token, Completion>,
  tokens: Tokens,
  raw: boolean,
): AsyncGenerator<sdk.StreamPart> {
  try {
    yield* head;
    let next = first;
    for (; !next.done; next = await tokens.next()) {
      if (raw) yield { type: 'raw', rawValue: next.value };
      if (next.value.text) yield { type: 'text-delta', id: '0', delta: next.value.text };
    }
    yield { type: 'text-end', id: '0' };
    yield { type: 'finish', ...endOf(next.value) };
  } finally {
    await tokens.return(undefined as never); // the reader may have left
  }
}

/** Parts generated as they are read. A failure is a part, as the AI SDK has it; an abort fails the stream. */
function streamOf(from: AsyncGenerator<sdk.StreamPart>, signal: AbortSignal | undefined) {
  return new ReadableStream<sdk.StreamPart>({
    async pull(controller) {
      try {
        const { done, value } = await from.next();
        if (done) controller.close();
        else controller.enqueue(value);
      } catch (error) {
        if (signal?.aborted) return controller.error(error);
        controller.enqueue({ type: 'error', error });
        controller.close();
      }
    },
    async cancel() {
      await from.return(undefined);
    },
  });
}
