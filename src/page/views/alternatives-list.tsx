import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { asked, choose, letGo } from '../alternatives.ts';
import { percent, spoken, visible } from '../format.ts';
import { tokens } from '../tokens.ts';
import { words } from './words.ts';

/** The ten likeliest tokens in the place of one: arrow keys and Enter choose, Escape leaves. */
export function AlternativesList({ onLeave }: { onLeave: () => void }) {
  const box = useRef<HTMLDivElement>(null);
  const { index, found, by } = asked.value!;
  const place = usePlace(box, index);
  useLayoutEffect(() => {
    if (by === 'mouse') return;
    const list = box.current!;
    const current = list.querySelector<HTMLElement>('[aria-current="true"]');
    (current ?? list.querySelector('button') ?? list).focus({ preventScroll: true });
  }, [found]);
  useLayoutEffect(() => {
    const onPointer = (event: PointerEvent) => {
      if (!box.current?.contains(event.target as Node)) asked.value = undefined;
    };
    addEventListener('pointerdown', onPointer);
    return () => removeEventListener('pointerdown', onPointer);
  }, []);
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === 'Escape') {
      letGo();
      onLeave();
    } else if (!step) return;
    else {
      const buttons = [...box.current!.querySelectorAll('button')];
      const at = buttons.indexOf(document.activeElement as HTMLButtonElement);
      buttons[(at + step + buttons.length) % buttons.length]?.focus();
    }
    event.preventDefault();
    event.stopPropagation();
  };
  const token = tokens.value?.[index];
  const most = found?.likeliest[0]?.probability ?? 1;
  return (
    <div
      class="alternatives"
      role="dialog"
      aria-label={words.alternatives(spoken(token?.text ?? ''))}
      tabIndex={-1}
      ref={box}
      style={place}
      onKeyDown={onKeyDown}
    >
      {token && (
        <p class="token-facts">
          {token.logprob === null
            ? words.firstToken
            : words.tokenFacts(Math.exp(token.logprob), token.rank!, token.entropy!)}
        </p>
      )}
      {found ? (
        <ol>
          {found.likeliest.map((other) => (
            <li>
              <button
                type="button"
                data-id={other.id}
                data-probability={other.probability}
                aria-current={other.id === found.token.id}
                disabled={other.text.includes('\ufffd')}
                onClick={() => {
                  choose(found, other);
                  onLeave();
                }}
              >
                <bdi class="word">{visible(other.text)}</bdi>
                <span class="bar" style={{ '--share': other.probability / most }} />
                <span>{percent(other.probability)}</span>
              </button>
            </li>
          ))}
        </ol>
      ) : (
        <p class="token-facts">{words.asking}</p>
      )}
    </div>
  );
}

/** Under the token, within the text's width. */
function usePlace(box: { current: HTMLElement | null }, index: number) {
  const [place, setPlace] = useState({ left: '0px', top: '0px' });
  useLayoutEffect(() => {
    const surface = box.current!.parentElement!;
    const follow = () => {
      const token = surface.querySelector(`[data-token="${index}"]`);
      if (!token || !box.current) return;
      // Of a token on two lines, the end.
      const [inner, outer] = [token.getClientRects(), surface.getBoundingClientRect()];
      const last = inner[inner.length - 1]!;
      const room = outer.width - box.current.offsetWidth;
      setPlace({
        left: `${Math.max(0, Math.min(last.left - outer.left, room))}px`,
        top: `${last.bottom - outer.top + 4}px`,
      });
    };
    const watch = new ResizeObserver(follow); // a phone is turned, a window is drawn larger
    watch.observe(surface);
    follow();
    return () => watch.disconnect();
  }, [index, tokens.value]);
  return place;
}
