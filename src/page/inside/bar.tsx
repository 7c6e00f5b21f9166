import { useEffect, useRef } from 'preact/hooks';
import { visible } from '../format.ts';
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

function Ribbon({ texts }: { texts: readonly string[] }) {
  const list = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const token = list.current?.children[position.value] as HTMLElement | undefined;
    // Not scrollIntoView: that scrolls the page too.
    if (token) list.current!.scrollLeft = token.offsetLeft - list.current!.clientWidth / 2;
  }, [position.value, texts]);
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const to = event.key === 'Home' ? 0 : event.key === 'End' ? texts.length - 1 : step && position.value + step;
    if (to === undefined) return;
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
          aria-label={words.token(i, text)}
          tabIndex={i === position.value ? 0 : -1}
          onClick={() => lookAt({ position: i })}
        >
          {visible(text)}
        </button>
      ))}
    </div>
  );
}

interface StepperProps {
  what: string;
  value: number;
  count: number;
  onChange: (value: number) => void;
}

function Stepper({ what, value, count, onChange }: StepperProps) {
  return (
    <div class="stepper" role="group" aria-label={what}>
      <button
        type="button"
        class="quiet"
        aria-label={words.before(what)}
        disabled={value === 0}
        onClick={() => onChange(value - 1)}
      >
        ‹
      </button>
      <output>
        {what} <b>{value}</b> <span class="summary">/ {count - 1}</span>
      </output>
      <button
        type="button"
        class="quiet"
        aria-label={words.next(what)}
        disabled={value === count - 1}
        onClick={() => onChange(value + 1)}
      >
        ›
      </button>
    </div>
  );
}
