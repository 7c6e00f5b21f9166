import type { StationName } from '../looking.ts';

/** A picture is drawn when its numbers are read; longer than this it is not waited for. */
const patienceMs = 10_000;

let mine = 0;

/** Scrolls to the picture of a tensor within a station and outlines it; to the station while there is no such picture. */
export async function pointAt(tensor: string, station: StationName): Promise<void> {
  const turn = ++mine;
  unpoint();
  const until = performance.now() + patienceMs;
  let section: HTMLElement | null = null;
  for (;;) {
    await new Promise(requestAnimationFrame);
    if (turn !== mine) return;
    section = document.getElementById(`station-${station}`);
    const picture = section?.querySelector<HTMLElement>(`[data-tensor="${CSS.escape(tensor)}"]`);
    const shown = picture?.closest<HTMLElement>('.matrix') ?? picture;
    if (shown) {
      shown.setAttribute('data-pointed', '');
      return scrollTo(shown);
    }
    if (performance.now() > until) break;
  }
  if (section) scrollTo(section);
}

/** Nothing is outlined any more, and a picture that is still waited for is not scrolled to. */
export function stopPointing(): void {
  mine++;
  unpoint();
}

function unpoint(): void {
  for (const former of document.querySelectorAll('[data-pointed]')) former.removeAttribute('data-pointed');
}

function scrollTo(element: HTMLElement): void {
  const calm = matchMedia('(prefers-reduced-motion: reduce)').matches;
  element.scrollIntoView({ block: 'center', behavior: calm ? 'auto' : 'smooth' });
}
