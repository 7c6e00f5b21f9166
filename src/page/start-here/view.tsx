import './style.css';
import { signal } from '@preact/signals';
import { Fragment } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { lookInside, startingView, view } from '../inside-open.ts';
import { shown } from '../models.ts';
import { embedded, isSame } from '../sources.ts';
import { colouring } from '../tokens.ts';
import { phase, replaceText, shownText } from '../writing.ts';
import { type Start, type StartName, starts } from './texts.ts';
import { findingOf, words } from './words.ts';

const chosen = signal<StartName | undefined>(undefined);

function choose(name: StartName): void {
  const { text, colouring: by }: Start = starts[name];
  chosen.value = name;
  replaceText(text);
  colouring.value = by;
}

/** Texts to begin with: each takes the place of the text, and says what the model makes of it. */
export function StartHere() {
  const name = chosen.value;
  const start: Start | undefined = name && starts[name];
  const isTold = start?.text === shownText.value;
  return (
    <div class="start-here">
      <ul>
        {(Object.keys(starts) as StartName[]).map((one) => (
          <Fragment key={one}>
            <li>
              <button
                type="button"
                aria-pressed={isTold && one === name}
                disabled={phase.value !== 'idle'}
                onClick={() => choose(one)}
              >
                <b>{words.texts[one][0]}</b> <span>{starts[one].text}</span>
              </button>
            </li>
            <li class="finding-place" aria-live="polite">
              {isTold && one === name && <Finding name={one} />}
            </li>
          </Fragment>
        ))}
      </ul>
      {!isSame(shown.value?.ref, embedded) && <p class="other">{words.other}</p>}
    </div>
  );
}

/** What there is to find, brought into view: it may be unfolded below the window. */
function Finding({ name }: { name: StartName }) {
  const told = useRef<HTMLParagraphElement>(null);
  useEffect(() => told.current?.scrollIntoView({ block: 'nearest' }), [name]);
  return (
    <p class="finding" data-start={name} ref={told}>
      {findingOf(name, starts[name])}{' '}
      <button type="button" class="quiet" onClick={() => show(starts[name])}>
        {words.inside}
      </button>
    </p>
  );
}

function show({ station, looks }: Start): void {
  const { layer, head } = looks ?? startingView;
  view.value = { ...startingView, layer, head, stations: [station] };
  lookInside();
}
