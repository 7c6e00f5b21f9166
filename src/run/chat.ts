import type { TokenizerFiles } from '../load/checkpoint.ts';
import { isObject, parseJson } from '../load/files.ts';
import { badOption } from '../plan/error.ts';
import { type ChatMessage, type ChatTemplateOptions, renderChat } from '../text/chat.ts';
import { roles, type Tokenizer } from '../text/tokenizer.ts';
import { type Check, isString, oneOf } from './check.ts';
import { type GenerateOptions, generateChecks } from './options.ts';

/** What a chat's template is told. */
export interface ChatTextOptions extends Pick<ChatTemplateOptions, 'tools' | 'variables'> {
  /** `false`: the last message is gone on with, where the template leaves it open. `true` by default. */
  addGenerationPrompt?: boolean;
  /** A chat template in place of the checkpoint's. */
  template?: string;
}

/** How to answer in a chat: how to generate, and what the template is told. */
export interface ChatOptions extends GenerateOptions, ChatTextOptions {}

export const chatTextChecks: Record<keyof ChatTextOptions, Check> = {
  tools: {
    expects: 'a list of objects',
    accepts: (value) => Array.isArray(value) && value.every((tool) => typeof tool === 'object' && tool !== null),
  },
  variables: { expects: 'an object', accepts: (value) => isObject(value) },
  addGenerationPrompt: oneOf(true, false),
  template: isString,
};

export const chatChecks: Record<keyof ChatOptions, Check> = { ...generateChecks, ...chatTextChecks };

/** Chat templates of a checkpoint by name; the usual one is `default`. */
export type ChatTemplates = ReadonlyMap<string, string>;

/** What a checkpoint's files say of chats. Reading them may be put off until there is one. */
export interface ChatFiles {
  tokenizerFiles(signal?: AbortSignal): Promise<TokenizerFiles>;
  text(file: string, signal?: AbortSignal): Promise<string | undefined>;
}

/**
 * The chat templates of a checkpoint: chat_template.jinja, `chat_template` of tokenizer_config.json, or of a GGUF file's metadata.
 * @param files its tokenizer's, where they have been read
 */
export async function chatTemplatesOf(
  checkpoint: ChatFiles,
  files: TokenizerFiles,
  signal?: AbortSignal,
): Promise<ChatTemplates> {
  if (files.gguf) {
    const template = files.gguf.fields.get('tokenizer.chat_template');
    return typeof template === 'string' ? new Map([['default', template]]) : new Map();
  }
  const whole = await checkpoint.text('chat_template.jinja', signal);
  if (whole !== undefined) return new Map([['default', whole]]);
  const name = 'tokenizer_config.json';
  const config = files.config ?? (await checkpoint.text(name, signal));
  const json: unknown = config === undefined ? {} : parseJson(config, name);
  const found = isObject(json) ? json.chat_template : undefined;
  if (typeof found === 'string') return new Map([['default', found]]);
  if (!Array.isArray(found)) return new Map();
  const named = found.filter(
    (one) => isObject(one) && typeof one.name === 'string' && typeof one.template === 'string',
  );
  return new Map((named as { name: string; template: string }[]).map((one) => [one.name, one.template]));
}

/**
 * The text of a chat by a model's template.
 * @throws VitrineError `bad-option` where there is no template, or it does not take the chat
 */
export async function chatText(
  tokenizer: Tokenizer,
  templates: ChatTemplates,
  messages: readonly ChatMessage[],
  { tools, variables, addGenerationPrompt, template: given }: ChatTextOptions,
): Promise<string> {
  const usual = (tools && templates.get('tool_use')) ?? templates.get('default');
  const template = given ?? usual;
  if (template === undefined) {
    const named = [...templates.keys()].join(', ');
    const hint = 'Pass one as the option template, or write with generate.';
    throw badOption(`This model has no chat template${named && ` but ${named}`}.`, hint);
  }
  const special = roles.flatMap((role) => {
    const id = tokenizer[`${role}Id`];
    return id === null ? [] : [[`${role}_token`, tokenizer.spelling(id)]];
  });
  return renderChat(template, messages, {
    special: Object.fromEntries(special) as Record<string, string>,
    ...(tools && { tools }),
    ...(variables && { variables }),
    ...(addGenerationPrompt !== undefined && { addGenerationPrompt }),
  });
}

/** The ids of a chat's text: special tokens are read as such, and nothing is put around. */
export function chatIds(tokenizer: Tokenizer, text: string): number[] {
  const { ids, sequence } = tokenizer.inputs(text);
  return ids.filter((_, i) => sequence[i] !== null);
}
