import { VitrineError } from '../../plan/error.ts';
import { type ChatMessage, renderChat } from '../../text/chat.ts';
import { type Check, integer, isSignal, isString, listOf, number, oneOf, refuse } from '../check.ts';
import { load } from '../load.ts';
import type { Model } from '../model.ts';
import type { GenerateOptions } from '../options.ts';
import { isObject, readSettings, type Task } from './task.ts';

const any = number(-Number.MAX_VALUE);
const checks: Record<string, Check> = {
  maxNewTokens: integer(1),
  maxLength: integer(1),
  minNewTokens: integer(0),
  doSample: oneOf(true, false),
  temperature: number(0),
  topK: integer(0),
  topP: number(0, 1),
  minP: number(0, 1),
  typicalP: number(0, 1, 'above'),
  repetitionPenalty: number(0, Number.MAX_VALUE, 'above'),
  frequencyPenalty: any,
  presencePenalty: any,
  noRepeatNgramSize: integer(0),
  badWordsIds: listOf('lists of token ids', Array.isArray),
  eosTokenId: { expects: 'a token id, a list of them, or null', accepts: (value) => value !== undefined },
  numBeams: integer(1),
  lengthPenalty: any,
  earlyStopping: oneOf(true, false),
  numReturnSequences: integer(1),
  seed: integer(0),
  stopStrings: { expects: 'texts', accepts: (value) => [value].flat().every(isString.accepts) },
  returnFullText: oneOf(true, false),
  chatTemplate: isString,
  tools: listOf('tools', isObject),
  signal: isSignal,
};

type Chat = readonly ChatMessage[];
const isChat = (value: unknown): value is Chat =>
  Array.isArray(value) && value.length > 0 && value.every((message) => isObject(message) && 'role' in message);

export const textGeneration: Task<Model> = {
  load,
  async call(model, [texts, options]) {
    const settings = readSettings('text-generation', options, checks);
    const isOne = typeof texts === 'string' || isChat(texts);
    const list = (isOne ? [texts] : texts) as (string | Chat)[];
    if (!Array.isArray(list)) throw refuse('texts', texts, 'a text, a chat or a list of them');
    const found = [];
    for (const text of list) found.push(await generated(model, text, settings));
    return isOne ? found[0] : found;
  },
};

async function generated(model: Model, input: string | Chat, settings: Record<string, unknown>) {
  const { returnFullText = true, chatTemplate, tools, ...rest } = settings;
  let prompt = input as string;
  if (isChat(input)) {
    if (typeof chatTemplate !== 'string') {
      throw new VitrineError('bad-option', 'text-generation got a chat and no chat_template; expected both or a text.');
    }
    prompt = await renderChat(chatTemplate, input, tools === undefined ? {} : { tools: tools as object[] });
  } else if (typeof input !== 'string') throw refuse('text', input, 'a text or a chat');
  const completion = await model.complete(prompt, generateOptions(model, prompt, rest));
  return (completion.sequences ?? [completion]).map(({ text }) => {
    if (isChat(input)) return { generated_text: [...input, { role: 'assistant', content: text }] };
    return { generated_text: returnFullText ? prompt + text : text };
  });
}

/** Hugging Face's options as `generate` takes them: nothing is drawn unless `do_sample` says so, and 50 of the words at most. */
function generateOptions(model: Model, prompt: string, settings: Record<string, unknown>): GenerateOptions {
  const {
    doSample = false,
    temperature = 1,
    topK = 50,
    maxLength,
    maxNewTokens,
    badWordsIds,
    stopStrings,
    ...rest
  } = settings;
  const left = maxLength === undefined ? 256 : (maxLength as number) - model.tokenizer.encode(prompt).length;
  if (maxNewTokens === undefined && left < 1) {
    throw refuse('maxLength', maxLength, `more than the ${(maxLength as number) - left} tokens of the prompt`);
  }
  return {
    ...rest,
    maxNewTokens: (maxNewTokens as number | undefined) ?? left,
    ...(doSample ? { temperature: temperature as number, topK: topK as number } : {}),
    ...(badWordsIds !== undefined && { badWords: badWordsIds as number[][] }),
    ...(stopStrings !== undefined && { stop: stopStrings as string[] }),
  };
}
