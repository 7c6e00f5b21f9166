import { useEffect, useRef, useState } from 'preact/hooks';
import type { WorkerEncoderDecoder } from '../../embed/client.ts';
import type { EmbeddedName } from '../embedded.ts';
import { isComposing } from '../keys.ts';
import { TextField } from './text-field.tsx';
import { words as common } from './words/anatomy.ts';
import { examples, tasks, words } from './words/pairs.ts';

interface Props {
  model: WorkerEncoderDecoder;
  name: EmbeddedName | undefined;
  /** What a link asks for. */
  start: string | undefined;
  onText: (text: string) => void;
}

/** A pause in typing after which a small model answers by itself. */
const settleMs = 250;
/** A model so small answers while one types; a larger one when it is asked. */
const smallBytes = 40e6;

/** What the model reads: typed, taken from the examples, or of a task. */
export function SourceInput({ model, name, start, onText }: Props) {
  const offered = (name && examples[name]) ?? [];
  const hasTasks = name === 'tiny-tasks';
  const first = start ?? (hasTasks ? textOf(tasks[0]!.prefix, tasks[0]!.example) : (offered[0] ?? ''));
  const [text, setText] = useState(first);
  const timer = useRef(0);
  const isQuick = model.device.bytes < smallBytes;
  const take = (next: string, later = false) => {
    setText(next);
    clearTimeout(timer.current);
    if (!later) onText(next);
    else if (isQuick) timer.current = window.setTimeout(() => onText(next), settleMs);
  };
  useEffect(() => {
    if (first) take(first);
    return () => clearTimeout(timer.current);
  }, []);
  return (
    <form
      class="source-input"
      onSubmit={(event) => {
        event.preventDefault();
        take(text);
      }}
    >
      {hasTasks ? (
        <TaskFields text={text} onText={take} />
      ) : (
        <TextField
          id="source-text"
          label={words.source}
          isUnseen
          rows={2}
          value={text}
          onText={(next) => take(next, true)}
          onKeyDown={(event) => {
            if (event.key !== 'Enter' || event.shiftKey || isComposing(event)) return;
            event.preventDefault();
            take(text);
          }}
        />
      )}
      <p class="chips">
        {!isQuick && (
          <button type="submit" class="primary">
            {words.write}
          </button>
        )}
        {offered.length > 0 && <span class="summary">{common.try}</span>}
        {offered.map((example) => (
          <button type="button" class="chip" key={example} onClick={() => take(example)}>
            <bdi>{example}</bdi>
          </button>
        ))}
      </p>
    </form>
  );
}

const textOf = (prefix: string, word: string) => `${prefix}: ${word}`;

/** The first word says what to do with the others. */
function TaskFields({ text, onText }: { text: string; onText: (text: string, later?: boolean) => void }) {
  const [, prefix = '', word = ''] = /^(\w+): ?(.*)$/s.exec(text) ?? [];
  const known = tasks.some((task) => task.prefix === prefix) ? prefix : tasks[0]!.prefix;
  return (
    <>
      <fieldset class="choices tasks">
        <legend class="unseen">{words.task}</legend>
        {tasks.map((task) => (
          <label key={task.prefix}>
            <input
              type="radio"
              name="task"
              checked={task.prefix === known}
              onChange={() => onText(textOf(task.prefix, task.example))}
            />
            <span>{task.name}</span>
          </label>
        ))}
      </fieldset>
      <div class="task-text">
        <span class="prefix" aria-hidden="true">
          {known}:
        </span>
        <input
          type="text"
          dir="auto"
          value={word}
          aria-label={words.word}
          spellcheck={false}
          autocapitalize="off"
          autocomplete="off"
          onInput={(event) => onText(textOf(known, event.currentTarget.value), true)}
        />
      </div>
    </>
  );
}
