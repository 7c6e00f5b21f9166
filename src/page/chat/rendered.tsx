import { useState } from 'preact/hooks';
import type { WorkerModel } from '../../embed/client.ts';
import type { ChatMessage } from '../../index.ts';
import { useLater } from '../inside/later.ts';
import { Failed } from '../rooms/failed.tsx';
import { words } from './words.ts';

/** The conversation as the model's template renders it, once somebody looks. */
export function Rendered({ model, messages }: { model: WorkerModel; messages: readonly ChatMessage[] }) {
  const [open, setOpen] = useState(false);
  return (
    <details class="rendered" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{words.template}</summary>
      {open && messages.length > 0 && <Text model={model} messages={messages} />}
    </details>
  );
}

function Text({ model, messages }: { model: WorkerModel; messages: readonly ChatMessage[] }) {
  // After an answer the next turn is the visitor's, so nothing of the model's is begun.
  const addGenerationPrompt = messages.at(-1)!.role !== 'assistant';
  const { value, failure } = useLater(
    () => model.chatText(messages, { addGenerationPrompt }),
    [model, JSON.stringify(messages)],
  );
  return (
    <>
      <p class="summary">{words.templateHint}</p>
      <Failed failure={failure} />
      <pre tabIndex={0}>{value}</pre>
    </>
  );
}
