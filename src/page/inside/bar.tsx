import { useLayoutEffect, useRef } from 'preact/hooks';
import { inLine, spoken, typedInLine, visible } from '../format.ts';
import { randomSeed, ranges } from '../settings.ts';
import { DialRow } from '../views/dial-row.tsx';
import { Stepper } from '../views/stepper.tsx';
import {
  canUndo,
  completeOrStop,
  compose,
  composition,
  phase,
  set,
  settings,
  shownText,
  type,
  undo,
} from '../writing.ts';
import { head, layer, lookAt, position } from './looking.ts';
import { current, touched } from './reading.ts';
import { words } from './words.ts';

/** What the pictures are of: a token of the text, a block, a head. */
export function Bar() {
  const shown = current.value;
  if (!shown) return null;
  const { nLayer, nHead, nCtx } = shown.model.config;
  return (
    <div class="bar" data-touched={Boolean(touched.value)}>
      <Hand />
      <Ribbon texts={shown.texts} />
      {shown.ids.length === nCtx && <p class="summary">{words.shortened(nCtx)}</p>}
      <div class="steppers">
        <Stepper what={words.layer} value={layer.value} count={nLayer} onChange={(value) => lookAt({ layer: value })} />
        <Stepper what={words.head} value={head.value} count={nHead} onChange={(value) => lookAt({ head: value })} />
        {touched.value && <p class="touched">{words.touched}</p>}
      </div>
    </div>
  );
}

/** Dials that change what the drawing shows; the others are beside the text. */
const dials = ['temperature', 'topK', 'topP'] as const;

/** The text and the dials, so that nothing that a lesson asks for is out of reach. A line end is written as its sign. */
function Hand() {
  const busy = phase.value !== 'idle';
  useLayoutEffect(() => () => compose(false), []);
  return (
    <div class="hand">
      <input
        type="text"
        dir="auto"
        aria-label={words.yourText}
        value={inLine(shownText.value)}
        readOnly={busy}
        onInput={({ currentTarget }) => type(typedInLine(shownText.value, currentTarget.value))}
        {...composition}
      />
      <button type="button" class="plain" onClick={completeOrStop}>
        {busy ? words.stop : words.writeOn}
      </button>
      <button type="button" class="quiet" disabled={!canUndo.value} onClick={undo}>
        {words.undo}
      </button>
      <details class="hand-dials">
        <summary>{words.dials}</summary>
        <div>
          {dials.map((dial) => (
            <DialRow
              key={dial}
              id={`inside-${dial}`}
              dial={dial}
              value={settings.value[dial]}
              idle={settings.value.temperature === 0 && ranges[dial].samplingOnly}
              onChange={(value) => set(dial, value)}
              onTouch={() => {}}
            />
          ))}
          <button type="button" class="plain" onClick={() => set('seed', randomSeed())}>
            {words.otherSeed}
          </button>
        </div>
      </details>
    </div>
  );
}

function Ribbon({ texts }: { texts: readonly string[] }) {
  const list = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const token = list.current?.children[position.value] as HTMLElement | undefined;
    // Not scrollIntoView: that scrolls the page too.
    if (token) list.current!.scrollLeft = token.offsetLeft - list.current!.clientWidth / 2;
  }, [position.value, texts]);
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const to = event.key === 'Home' ? 0 : event.key === 'End' ? texts.length - 1 : step && position.value + step;
    if (to === undefined || to < 0 || to >= texts.length) return;
    event.preventDefault();
    lookAt({ position: to });
    (list.current?.children[position.value] as HTMLElement | undefined)?.focus();
  };
  return (
    <div class="ribbon" role="radiogroup" aria-label={words.tokens} ref={list} onKeyDown={onKeyDown}>
      {texts.map((text, i) => (
        <button
          type="button"
          role="radio"
          aria-checked={i === position.value}
          aria-label={words.token(i, spoken(text))}
          tabIndex={i === position.value ? 0 : -1}
          onClick={() => lookAt({ position: i })}
        >
          {visible(text)}
        </button>
      ))}
    </div>
  );
}
