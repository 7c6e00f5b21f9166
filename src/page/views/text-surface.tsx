import { useLayoutEffect, useRef } from 'preact/hooks';
import { segments, shared, stretches } from '../../embed/manuscript.ts';
import { askAt, asked, letGo } from '../alternatives.ts';
import { announce } from '../announce.ts';
import { explain } from '../failure.ts';
import { acceptGhost, dismiss, ghost } from '../ghost.ts';
import { isComposing } from '../keys.ts';
import { failure, shown } from '../models.ts';
import { embedded } from '../sources.ts';
import { strings } from '../strings.ts';
import { colouring, shadeOf, strengthOf, tokens } from '../tokens.ts';
import { compose, composing, composition, manuscript, phase, redo, shownText, type, undo } from '../writing.ts';
import { Later } from './later.tsx';

/**
 * One text, two layers: the drawn flow (who wrote what, how the model takes it, what it offers) beneath a textarea of the
 * same metrics whose own letters are transparent, so that typing, selection, input methods and screen readers are the
 * browser's.
 */
export function TextSurface() {
  const area = useRef<HTMLTextAreaElement>(null);
  const end = useRef<HTMLSpanElement>(null);
  const running = phase.value === 'running';
  const busy = phase.value !== 'idle';
  const text = shownText.value;
  useFollowing(end, running);

  useLayoutEffect(() => {
    // On a touch screen, focus would bring up the keyboard over half the page.
    if (matchMedia('(pointer: fine)').matches) area.current?.focus();
    return () => compose(false); // a field that is gone tells no end
  }, []);
  useLayoutEffect(() => {
    if (!running && document.activeElement === area.current) area.current?.setSelectionRange(-1, -1);
  }, [running]);

  return (
    <div class="surface" data-running={running} data-composing={composing.value}>
      <div class="flow" aria-hidden="true" dir="auto">
        <Flow />
        {ghost.value?.after === text && <span class="ghost">{offered()}</span>}
        <span class="end" ref={end} />
      </div>
      <textarea
        ref={area}
        value={text}
        onInput={(event) => type(event.currentTarget.value)}
        onKeyDown={(event) => onKey(event, event.currentTarget)}
        onBeforeInput={(event) => onBrowserUndo(event as InputEvent, event.currentTarget)}
        onClick={({ currentTarget: { selectionStart, selectionEnd } }) => {
          if (colouring.value && !busy && selectionStart === selectionEnd) void askAt(selectionStart + 1, 'mouse');
        }}
        {...composition}
        readOnly={busy}
        dir="auto"
        aria-label={strings.text}
        aria-describedby="text-hint"
        placeholder={strings.placeholder}
        spellcheck={false}
        autocapitalize="sentences"
      />
      <p id="text-hint" class="unseen">
        {strings.textHint}
      </p>
      {asked.value && (
        <Later load={alternatives} with={{ onLeave: () => area.current?.focus() }} onFailure={notFetched} />
      )}
    </div>
  );
}

/** Fetched when it is first asked for. */
const alternatives = async () => (await import('./alternatives-list.tsx')).AlternativesList;

function notFetched(error: unknown): void {
  letGo();
  failure.value = explain(error, shown.value?.ref ?? embedded, 'load');
}

export const offered = () => ghost.value?.tokens.map((token) => token.text).join('') ?? '';

/** The letters as they are seen: in tokens where those are known, else in stretches of one author. */
function Flow() {
  const by = colouring.value;
  const known = (by || asked.value) && tokens.value;
  if (!known) return stretches(manuscript.value).map((stretch) => <span class={stretch.by}>{stretch.text}</span>);
  const vocabSize = shown.value?.model.config.vocabSize ?? 1;
  return segments(manuscript.value, known).map(({ by: author, text, token }) => {
    const strength = by && strengthOf(known[token!]!, by, vocabSize);
    const shade = by && shadeOf(known[token!]!, by, vocabSize);
    return (
      <span
        class={`${author} token`}
        data-token={token}
        data-strength={strength}
        data-asked={asked.value?.index === token}
        style={shade === undefined ? {} : { '--strength': shade }}
      >
        {text}
      </span>
    );
  });
}

/** Keys of the text: what is offered is taken by Tab, in words by Ctrl + right, and let go by Escape; then Tab moves on. */
function onKey(event: KeyboardEvent, area: HTMLTextAreaElement): void {
  if (isComposing(event)) return;
  const atEnd = area.selectionStart === area.value.length && area.selectionEnd === area.value.length;
  const control = event.ctrlKey || event.metaKey;
  const done = (() => {
    if (event.key === 'Tab' && !event.shiftKey && !control && !event.altKey) return atEnd && acceptGhost('all');
    if (event.key === 'ArrowRight' && (control || event.altKey)) return atEnd && acceptGhost('word');
    if (event.key === 'Escape') return letGo() || dismiss();
    if (event.key === ' ' && control) return ghost.value && say(strings.offers(offered()));
    if (event.key === 'ArrowDown' && event.altKey)
      return phase.value === 'idle' && void askAt(area.selectionStart, 'keys') === undefined;
    if (event.key.toLowerCase() === 'z' && control) return changed(area, event.shiftKey ? redo : undo);
    if (event.key.toLowerCase() === 'y' && control) return changed(area, redo);
    return false;
  })();
  if (done) event.preventDefault();
}

/** The browser's own undo, from its menu, knows nothing of the model's words. */
function onBrowserUndo(event: InputEvent, area: HTMLTextAreaElement): void {
  if (event.inputType === 'historyUndo') changed(area, undo);
  else if (event.inputType === 'historyRedo') changed(area, redo);
  else return;
  event.preventDefault();
}

/** Undoes or redoes, and leaves the caret behind what changed. */
function changed(area: HTMLTextAreaElement, how: () => void): true {
  const before = area.value;
  how();
  area.value = shownText.value;
  const caret = area.value.length - shared(before, area.value).tail;
  if (area.value !== before) area.setSelectionRange(caret, caret);
  return true;
}

function say(what: string): true {
  announce(what);
  return true;
}

/** Keeps the growing end in view until the visitor scrolls it out of view, by whatever means; back at it, it is followed again. */
function useFollowing(end: { current: HTMLElement | null }, running: boolean): void {
  const following = useRef(false);
  /** How far down the window was when the page last saw to it. */
  const seen = useRef(0);
  useLayoutEffect(() => {
    following.current = running;
    seen.current = scrollY;
    const look = () => {
      const { top, bottom } = end.current!.getBoundingClientRect();
      following.current = bottom > 0 && top < innerHeight;
    };
    if (!running) return undefined;
    addEventListener('scroll', look, { passive: true });
    return () => removeEventListener('scroll', look);
  }, [running]);
  // Before the browser paints: where the end is in view after this, a scroll that finds it elsewhere is the visitor's.
  useLayoutEffect(() => {
    // A scroll's event comes with the next frame: a token may be there before it.
    if (scrollY < seen.current - 1) following.current = false;
    if (following.current) end.current?.scrollIntoView({ block: 'nearest' });
    seen.current = scrollY;
  });
}
