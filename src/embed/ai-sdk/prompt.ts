import { badOption } from '../../plan/error.ts';
import type { Message, MessagePart, Warning } from './types.ts';

export interface PlainPrompt {
  text: string;
  /** Where the model would begin to write the user's next turn. */
  stop: string[];
  warnings: Warning[];
}

/**
 * Messages for a model without a chat template. One user message is the text to continue, as it stands. Anything else
 * becomes a transcript, the way the AI SDK's own completion models have it: the system's text, then each turn below
 * its role's name; a last turn of the assistant's is continued.
 * @throws VitrineError `bad-option` for parts that are no text
 */
export function plainPrompt(messages: readonly Message[]): PlainPrompt {
  const [only] = messages;
  if (only?.role === 'user' && messages.length === 1) return { text: textOf(only.content), stop: [], warnings: [] };
  const turns = messages.map((message) => {
    if (message.role === 'system') return message.content;
    return `${message.role}:\n${textOf(message.content)}`;
  });
  if (messages.at(-1)?.role !== 'assistant') turns.push('assistant:\n');
  const details = 'The model has no chat template; it continues a plain transcript, up to the next "user:".';
  return {
    text: turns.join('\n\n'),
    stop: ['\nuser:'],
    warnings: [{ type: 'compatibility', feature: 'messages', details }],
  };
}

function textOf(parts: readonly MessagePart[]): string {
  const other = parts.find(({ type }) => type !== 'text');
  if (!other) return parts.map(({ text }) => text).join('');
  throw badOption(`A message has a part of type '${other.type}'.`, 'This model reads text only.');
}
