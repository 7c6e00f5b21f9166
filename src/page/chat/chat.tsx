import '../inside/inside.css';
import '../rooms/room.css';
import './chat.css';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { WorkerModel } from '../../embed/client.ts';
import { isComposing } from '../keys.ts';
import { shown } from '../models.ts';
import { Failed } from '../rooms/failed.tsx';
import { defaults } from '../settings.ts';
import { set, settings } from '../writing.ts';
import {
  answerAnew,
  answering,
  begin,
  failure,
  last,
  messages,
  say,
  stop,
  system,
  type Turn,
  turns,
} from './conversation.ts';
import { Rendered } from './rendered.tsx';
import { words } from './words.ts';

/** An answer is longer than what is written on; this is where the dial stands if nobody moved it. */
const longAnswer = 512;

/** On a touch keyboard Enter begins a line: there is no Shift to do that with, and Send is a button. */
const hasKeys = matchMedia('(pointer: fine)');

/** A conversation with a model that has a template for it. */
export function Chat() {
  const model = shown.value?.model;
  useEffect(() => {
    const isRaised = settings.peek().maxNewTokens === defaults.maxNewTokens;
    if (isRaised) set('maxNewTokens', longAnswer);
    return () => {
      stop();
      if (isRaised && settings.peek().maxNewTokens === longAnswer) set('maxNewTokens', defaults.maxNewTokens);
    };
  }, []);
  if (!model) return null;
  return (
    <>
      <header>
        <h2>{words.title}</h2>
        <p class="summary">{words.lead}</p>
      </header>
      <System />
      <Turns model={model} />
      <Failed failure={failure.value} />
      <Composer model={model} />
      <Rendered model={model} messages={messages()} />
    </>
  );
}

function System() {
  return (
    <details class="system" open={system.peek() !== ''}>
      <summary>{words.system}</summary>
      <textarea
        rows={2}
        dir="auto"
        aria-label={words.system}
        placeholder={words.systemHint}
        value={system.value}
        onInput={(event) => (system.value = event.currentTarget.value)}
      />
    </details>
  );
}

function Turns({ model }: { model: WorkerModel }) {
  const [editing, setEditing] = useState<number | undefined>(undefined);
  const end = useRef<HTMLDivElement>(null);
  const count = turns.value.length;
  useLayoutEffect(() => {
    if (count === 0) setEditing(undefined); // another conversation has other turns
  }, [count]);
  useLayoutEffect(() => end.current?.scrollIntoView({ block: 'nearest' }), [count]);
  const figures = last.value;
  return (
    <>
      <ol class="turns" aria-label={words.log} aria-busy={answering.value}>
        {turns.value.map((turn, i) => (
          <li key={i} data-role={turn.role}>
            <h3>{words.roles[turn.role]}</h3>
            {editing === i ? (
              <Editor
                turn={i}
                text={turn.content}
                onSave={(text) => {
                  setEditing(undefined);
                  void say(model, text, i);
                }}
                onCancel={() => setEditing(undefined)}
              />
            ) : (
              <TurnText turn={turn} />
            )}
            <p class="actions">
              {turn.role === 'user' && editing !== i && !answering.value && (
                <button type="button" class="quiet" aria-label={words.editTurn(i + 1)} onClick={() => setEditing(i)}>
                  {words.edit}
                </button>
              )}
              {turn.role === 'assistant' && i === count - 1 && !answering.value && (
                <button type="button" class="quiet" onClick={() => void answerAnew(model)}>
                  {words.regenerate}
                </button>
              )}
            </p>
          </li>
        ))}
      </ol>
      <div ref={end} />
      {figures && (
        <p class="summary figures-of-chat" data-cached={figures.usage.cached}>
          {[
            words.figures(
              figures.usage.prompt,
              figures.usage.cached,
              figures.usage.completion,
              figures.timing.tokensPerSecond,
            ),
            words.ends[figures.finishReason],
          ]
            .filter(Boolean)
            .join('; ')}
        </p>
      )}
    </>
  );
}

function TurnText({ turn: { content } }: { turn: Turn }) {
  return (
    <p class="content" dir="auto">
      {content || <span class="summary">{words.thinking}</span>}
    </p>
  );
}

interface EditorProps {
  turn: number;
  text: string;
  onSave: (text: string) => void;
  onCancel: () => void;
}

function Editor({ turn, text: first, onSave, onCancel }: EditorProps) {
  const [text, setText] = useState(first);
  const area = useRef<HTMLTextAreaElement>(null);
  useLayoutEffect(() => area.current?.focus(), []);
  return (
    <form
      class="editor"
      onSubmit={(event) => {
        event.preventDefault();
        if (text.trim()) onSave(text);
      }}
    >
      <textarea
        ref={area}
        rows={3}
        dir="auto"
        aria-label={words.edited(turn + 1)}
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
        onKeyDown={(event) => event.key === 'Escape' && !isComposing(event) && onCancel()}
      />
      <p class="actions">
        <button type="submit" class="plain" disabled={!text.trim()}>
          {words.save}
        </button>
        <button type="button" class="quiet" onClick={onCancel}>
          {words.cancel}
        </button>
      </p>
    </form>
  );
}

function Composer({ model }: { model: WorkerModel }) {
  const [text, setText] = useState('');
  const busy = answering.value;
  const area = useRef<HTMLTextAreaElement>(null);
  /** The buttons change under the focus; the next thing to do is to write. */
  const write = () => hasKeys.matches && area.current?.focus();
  const send = () => {
    if (busy || !text.trim()) return;
    setText('');
    write();
    void say(model, text);
  };
  useLayoutEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.key === 'Escape' && !isComposing(event) && answering.value && !document.querySelector('dialog[open]'))
        stop();
    };
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  }, []);
  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <textarea
        ref={area}
        rows={2}
        dir="auto"
        aria-label={words.message}
        placeholder={hasKeys.matches ? words.placeholder : words.placeholderTouch}
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key !== 'Enter' || event.shiftKey || !hasKeys.matches || isComposing(event)) return;
          event.preventDefault();
          send();
        }}
      />
      <p class="actions">
        {busy ? (
          <button
            type="button"
            class="primary"
            onClick={() => {
              stop();
              write();
            }}
          >
            {words.stop}
          </button>
        ) : (
          <button type="submit" class="primary" disabled={!text.trim()}>
            {words.send}
          </button>
        )}
        {turns.value.length > 0 && (
          <button
            type="button"
            class="quiet"
            onClick={() => {
              begin();
              write();
            }}
          >
            {words.anew}
          </button>
        )}
      </p>
    </form>
  );
}
