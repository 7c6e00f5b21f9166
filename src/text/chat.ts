import { badOption } from '../plan/error.ts';
import { part } from '../plan/part.ts';

/** A turn of a chat; templates may read more of it than these. */
export interface ChatMessage {
  role: string;
  content?: unknown;
  [field: string]: unknown;
}

export interface ChatTemplateOptions {
  /** Tools that the template may tell the model of, as JSON schemas. */
  tools?: readonly object[];
  /** Whether the text ends where the model's answer begins: true by default. */
  addGenerationPrompt?: boolean;
  /** Special tokens by their names, `{ bos_token: '<s>', … }`. */
  special?: Readonly<Record<string, string>>;
  /** Whatever else a template reads (`enable_thinking`, `documents`, …). */
  variables?: Readonly<Record<string, unknown>>;
}

const reasoningFields = ['reasoning_content', 'thinking', 'reasoning'];

/**
 * The text of a chat by its model's template (`chat_template` of tokenizer_config.json, or chat_template.jinja), as Hugging Face
 * transformers' `apply_chat_template` renders it. The interpreter is fetched when it is first used.
 * @throws VitrineError `bad-option` with the template's own words, where it raises or cannot be run
 */
export async function renderChat(
  template: string,
  messages: readonly ChatMessage[],
  options: ChatTemplateOptions = {},
): Promise<string> {
  if (typeof options !== 'object' || !options || Array.isArray(options))
    throw badOption("renderChat's options are no object.");
  const { tools, addGenerationPrompt = true, special = {}, variables = {}, ...rest } = options;
  const unknown = Object.keys(rest)[0];
  if (unknown) throw badOption(`renderChat has no option ${JSON.stringify(unknown)}.`);
  if (typeof template !== 'string') throw badOption('A chat template is a string.');
  if (!Array.isArray(messages) || !messages.every((message) => typeof message === 'object' && message !== null)) {
    throw badOption('The messages of a chat are a list of { role, content }.');
  }
  if (messages.length === 0) throw badOption('The chat has no messages; expected one at least.');
  const { renderTemplate } = await part('The interpreter of chat templates', () => import('./jinja.ts'));
  try {
    return renderTemplate(template, {
      documents: null,
      ...special,
      ...variables,
      messages: messages.map((message) => withReasoning(withoutNulls(message))),
      tools: tools ?? null,
      add_generation_prompt: addGenerationPrompt,
    });
  } catch (cause) {
    const words = cause instanceof Error ? cause.message : String(cause);
    throw badOption(`The chat template does not take this chat: ${words}`, undefined, cause);
  }
}

/** A field that is null is one that is not there: OpenAI's clients write `content: null` beside calls of tools. */
const withoutNulls = (message: ChatMessage): ChatMessage =>
  Object.fromEntries(Object.entries(message).filter(([, value]) => value !== null)) as unknown as ChatMessage;

/** Templates read what a model thought under one name or another. */
function withReasoning(message: ChatMessage): ChatMessage {
  const reasoning = reasoningFields.map((name) => message[name]).find((value) => value !== undefined);
  return reasoning === undefined ? message : { thinking: reasoning, ...message, reasoning_content: reasoning };
}
