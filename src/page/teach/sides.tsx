import type { ComponentChildren } from 'preact';
import type { Adapter } from '../../learn/index.ts';
import { Figure } from '../inside/draw/figure.tsx';
import { useOnce } from '../inside/later.ts';
import { Failed } from '../rooms/failed.tsx';
import { useSettled } from '../rooms/later-text.ts';
import { type Pupil, wearing } from './adapter-on.ts';
import { words } from './words.ts';

interface Props {
  model: Pupil;
  adapter: Adapter;
  title: string;
  note: string;
  /** Of the field. */
  label: string;
  value: string;
  onValue(value: string): void;
  /** What the model makes of the text, once with and once without what was learnt. */
  make(text: string, signal: AbortSignal): Promise<{ text: string }>;
  /** What else the results depend on. */
  by?: unknown;
  /** The text stands before what is written. */
  goesOn?: boolean;
  children?: ComponentChildren;
}

/** A text and what the model makes of it, without and with what was learnt, side by side. */
export function Sides({ model, adapter, title, note, label, value, onValue, make, by, goesOn, children }: Props) {
  const text = useSettled(value, 400);
  const both = useOnce(
    (goesOn || text.trim() !== '') &&
      (async (signal) => {
        const before = await wearing(model, null, () => make(text, signal));
        signal.throwIfAborted();
        return { text, before, after: await wearing(model, adapter, () => make(text, signal)) };
      }),
    [model, adapter, text, by],
  );
  return (
    <Figure title={title} note={note}>
      <div class="beginning">
        <input
          type="text"
          dir="auto"
          aria-label={label}
          value={value}
          onInput={(event) => onValue(event.currentTarget.value)}
        />
        {children}
      </div>
      <Failed failure={both.failure} />
      {both.value && (
        <div class="sides" data-stale={both.stale}>
          {(['before', 'after'] as const).map((side) => (
            <section key={side} aria-label={words[side]} data-side={side}>
              <h4>{words[side]}</h4>
              <p class="says" dir="auto">
                {goesOn && both.value!.text}
                <span class={goesOn || side === 'after' ? 'written' : ''}>{both.value![side].text}</span>
              </p>
            </section>
          ))}
        </div>
      )}
    </Figure>
  );
}
