import { useEffect, useRef } from 'preact/hooks';
import { stretches, textOf } from '../manuscript.ts';
import { strings } from '../strings.ts';
import { manuscript, phase, type } from '../writing.ts';

/**
 * One text, two layers: the drawn flow (who wrote what) beneath a textarea of the same metrics whose own letters are
 * transparent, so that typing, selection, input methods and screen readers are the browser's.
 */
export function TextSurface() {
  const area = useRef<HTMLTextAreaElement>(null);
  const end = useRef<HTMLSpanElement>(null);
  const running = phase.value === 'running';
  const busy = phase.value !== 'idle';
  useFollowing(end, running);

  useEffect(() => {
    // On a touch screen, focus would bring up the keyboard over half the page.
    if (matchMedia('(pointer: fine)').matches) area.current?.focus();
  }, []);
  useEffect(() => {
    if (!running && document.activeElement === area.current) area.current?.setSelectionRange(-1, -1);
  }, [running]);

  return (
    <div class="surface" data-running={running}>
      <div class="flow" aria-hidden="true">
        {stretches(manuscript.value).map(({ by, text }) => (
          <span class={by}>{text}</span>
        ))}
        <span class="end" ref={end} />
      </div>
      <textarea
        ref={area}
        value={textOf(manuscript.value)}
        onInput={(event) => type(event.currentTarget.value)}
        readOnly={busy}
        aria-label={strings.text}
        aria-describedby="text-hint"
        placeholder={strings.placeholder}
        spellcheck={false}
        autocapitalize="sentences"
      />
      <p id="text-hint" class="unseen">
        {strings.textHint}
      </p>
    </div>
  );
}

/** Keeps the growing end in view until the visitor scrolls away from it. */
function useFollowing(end: { current: HTMLElement | null }, running: boolean): void {
  const following = useRef(false);
  useEffect(() => {
    following.current = running;
    const leave = () => {
      following.current = false;
    };
    addEventListener('wheel', leave, { passive: true });
    addEventListener('touchmove', leave, { passive: true });
    return () => {
      removeEventListener('wheel', leave);
      removeEventListener('touchmove', leave);
    };
  }, [running]);
  useEffect(() => {
    if (following.current) end.current?.scrollIntoView({ block: 'nearest' });
  });
}
