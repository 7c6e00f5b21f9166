import { fileURLToPath } from 'node:url';
import type { LanguageModelV4 } from '@ai-sdk/provider';
import { generateText, jsonSchema, type ModelMessage, streamText, tool } from 'ai';
import { afterAll, describe, expect, test } from 'vitest';
import { vitrine } from '../../src/embed/ai-sdk.ts';
import { load, VitrineError } from '../../src/index.ts';

Object.assign(globalThis, { AI_SDK_LOG_WARNINGS: false });
const folder = fileURLToPath(new URL('../fixtures/tiny-gpt2/', import.meta.url));
const model = await load(folder, { device: 'cpu' });
afterAll(() => model.dispose());

const language: LanguageModelV4 = vitrine(model, { id: 'tiny' }); // the compiler holds our types against the SDK's
const asked = { model: language, prompt: 'The sea', maxOutputTokens: 8, maxRetries: 2 };

describe('generateText', () => {
  test("gives the model's own text, usage and finish reason", async () => {
    const own = await model.complete('The sea', { maxNewTokens: 8 });
    const result = await generateText(asked);
    expect(result.text).toBe(own.text);
    expect(result.finishReason).toBe('length');
    expect(result.usage).toMatchObject({
      inputTokens: own.usage.prompt,
      outputTokens: 8,
      totalTokens: own.usage.prompt + 8,
    });
    expect(result.warnings).toEqual([]);
    expect(result.response.modelId).toBe('tiny');
    const again = await generateText(asked);
    expect(again.usage.inputTokenDetails?.cacheReadTokens).toBeGreaterThan(0);
  });

  test('takes settings, seeds of either sign and the options of the engine', async () => {
    const settings = { temperature: 0.9, topP: 0.8, topK: 30, presencePenalty: 0.5, frequencyPenalty: 1 };
    const own = await model.complete('The sea', { ...settings, seed: 2 ** 53 - 5, maxNewTokens: 8, minP: 0.01 });
    const provider = { vitrine: { minP: 0.01 } };
    const result = await generateText({ ...asked, ...settings, seed: -5, providerOptions: provider });
    expect(result.text).toBe(own.text);
    expect(result.providerMetadata?.vitrine).toMatchObject({ seed: own.seed });
  });

  test('ends before a stop sequence, and says so', async () => {
    const { text } = await generateText(asked);
    const result = await generateText({ ...asked, stopSequences: [text.slice(3, 5)] });
    expect(result.text).toBe(text.slice(0, text.indexOf(text.slice(3, 5))));
    expect(result.finishReason).toBe('stop');
  });

  test('warns of what the model does not have, and works without it', async () => {
    const weather = tool({ inputSchema: jsonSchema<object>({ type: 'object' }), execute: async () => 'sunny' });
    const result = await generateText({ ...asked, tools: { weather }, reasoning: 'high' });
    expect(result.text).toBe((await generateText(asked)).text);
    const unsupported = result.warnings?.map((warning) => 'feature' in warning && warning.feature);
    expect(unsupported).toEqual(['tools', 'reasoning']);
    const json = await language.doGenerate({
      prompt: [{ role: 'user', content: [{ type: 'text', text: 'The sea' }] }],
      responseFormat: { type: 'json' },
      toolChoice: { type: 'required' },
    });
    expect(json.warnings).toMatchObject([
      { feature: 'toolChoice' },
      { type: 'unsupported', feature: 'responseFormat' },
    ]);
  });

  test('messages become a transcript that ends before the next turn', async () => {
    const turns: ModelMessage[] = [
      { role: 'user', content: 'Hello.' },
      { role: 'assistant', content: 'Good day.' },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'A ' },
          { type: 'text', text: 'story!' },
        ],
      },
    ];
    const result = await generateText({ ...asked, prompt: undefined, instructions: 'Be kind.', messages: turns });
    const text = 'Be kind.\n\nuser:\nHello.\n\nassistant:\nGood day.\n\nuser:\nA story!\n\nassistant:\n';
    expect(result.text).toBe((await model.complete(text, { maxNewTokens: 8, stop: '\nuser:' })).text);
    expect(result.warnings).toMatchObject([{ type: 'compatibility', feature: 'messages' }]);
    const begun: ModelMessage[] = [...turns, { role: 'assistant', content: 'Once' }];
    const { usage } = await generateText({ ...asked, prompt: undefined, messages: begun });
    const plain = text.replace('Be kind.\n\n', '');
    expect(usage.inputTokens).toBe(model.tokenizer.encode(`${plain}Once`).length);
  });

  test('refuses other parts than text, and settings out of range, at once', async () => {
    const image = { type: 'image', image: new Uint8Array([137, 80, 78, 71]), mediaType: 'image/png' } as const;
    const messages: ModelMessage[] = [{ role: 'user', content: [image] }];
    const refused = await generateText({ ...asked, prompt: undefined, messages }).catch((reason: unknown) => reason);
    expect(refused).toBeInstanceOf(VitrineError);
    expect((refused as Error).message).toContain("'file'");
    await expect(generateText({ ...asked, temperature: -1 })).rejects.toMatchObject({ code: 'bad-option' });
    const unknown = { vitrine: { topQ: 1 } };
    await expect(generateText({ ...asked, providerOptions: unknown })).rejects.toThrow('topQ');
  });

  test("an abort rejects with its signal's reason", async () => {
    const abort = new AbortController();
    const reason = new DOMException('enough', 'AbortError');
    const result = generateText({ ...asked, maxOutputTokens: 110, abortSignal: abort.signal });
    abort.abort(reason);
    await expect(result).rejects.toBe(reason);
  });
});

describe('streamText', () => {
  test('gives the same text in pieces, then usage and finish reason', async () => {
    const { text, usage } = await generateText(asked);
    const result = streamText(asked);
    const pieces: string[] = [];
    for await (const piece of result.textStream) pieces.push(piece);
    expect(pieces.join('')).toBe(text);
    expect(pieces.length).toBeGreaterThan(3);
    expect(await result.finishReason).toBe('length');
    expect((await result.usage).totalTokens).toBe(usage.totalTokens);
  });

  test('gives each token with its log-probability where raw chunks are asked for', async () => {
    const raw: unknown[] = [];
    for await (const part of streamText({ ...asked, include: { rawChunks: true } }).fullStream) {
      if (part.type === 'raw') raw.push(part.rawValue);
    }
    expect(raw).toHaveLength(8);
    expect(raw[0]).toMatchObject({ index: 0, id: expect.any(Number), logprob: expect.any(Number) });
  });

  test('an abort ends it as aborted, with no error, and the model is free again', async () => {
    const abort = new AbortController();
    const errors: unknown[] = [];
    const parts: string[] = [];
    const options = { ...asked, maxOutputTokens: 110, abortSignal: abort.signal };
    const result = streamText({ ...options, onError: ({ error }) => void errors.push(error) });
    for await (const { type } of result.fullStream) {
      parts.push(type);
      if (parts.filter((part) => part === 'text-delta').length === 3) abort.abort();
    }
    expect(parts).toContain('abort');
    expect(parts).not.toContain('finish');
    expect(errors).toEqual([]);
    expect((await generateText(asked)).text).not.toBe('');
  });

  test('a failure on the way, or before it begins, reaches onError', async () => {
    const other = await load(folder, { device: 'cpu' });
    const errors: unknown[] = [];
    const onError = ({ error }: { error: unknown }) => void errors.push(error);
    const result = streamText({ ...asked, model: vitrine(other), maxOutputTokens: 100, onError });
    for await (const _ of result.textStream) other.dispose();
    for await (const _ of streamText({ ...asked, topP: 3, onError }).textStream);
    expect(errors).toMatchObject([{ code: 'disposed' }, { code: 'bad-option' }]);
  });
});
