import { isObject } from '../../load/files.ts';
import type { ChatMessage } from '../../text/chat.ts';
import { type Check, isString, listOf, oneOf, refuse } from '../check.ts';
import { toEnd } from '../generate.ts';
import { load } from '../load.ts';
import type { Model } from '../model.ts';
import type { GenerateOptions } from '../options.ts';
import { generationChecks, generationOptions } from './generation.ts';
import { readSettings, type Task } from './task.ts';

const checks: Record<string, Check> = {
  ...generationChecks,
  returnFullText: oneOf(true, false),
  chatTemplate: isString,
  tools: listOf('tools', isObject),
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
  if (isChat(input)) {
    if (rest.maxLength !== undefined) throw refuse('maxLength', rest.maxLength, 'maxNewTokens, for a chat');
    const given = { template: chatTemplate as string, tools: tools as object[] };
    const answer = await toEnd(model.chat(input, { ...optionsOf(model, '', rest), ...given }));
    return (answer.sequences ?? [answer]).map(({ ids }) => {
      const content = model.tokenizer.decode(ids, { special: false, within: true });
      return { generated_text: [...input, { role: 'assistant', content }] };
    });
  }
  if (typeof input !== 'string') throw refuse('text', input, 'a text or a chat');
  const completion = await model.complete(input, optionsOf(model, input, rest));
  // As in Python: what decoding adds to the decoded prompt, so that a first word keeps the space before it.
  const { encode, decode } = model.tokenizer;
  const before = encode(input);
  const { length } = decode(before, { special: false });
  return (completion.sequences ?? [completion]).map(({ ids }) => {
    const text = decode([...before, ...ids], { special: false }).slice(length);
    return { generated_text: returnFullText ? input + text : text };
  });
}

/** Where nothing is said of a length, 256 tokens are written, as in Python. */
function optionsOf(model: Model, prompt: string, settings: Record<string, unknown>): GenerateOptions {
  const { maxLength, maxNewTokens } = settings;
  const begins = model.tokenizer.encode(prompt).length;
  if (maxNewTokens === undefined && maxLength !== undefined && (maxLength as number) <= begins) {
    throw refuse('maxLength', maxLength, `more than the ${begins} tokens of the prompt`);
  }
  return { maxNewTokens: 256, ...generationOptions(settings, begins, model.config.generation?.sampling) };
}
