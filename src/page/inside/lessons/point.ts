import { keepInView, whenMoved } from '../into-view.ts';
import { type StationName, unfold } from '../looking.ts';

/** A picture is drawn when its numbers are read; longer than this it is not waited for. */
const patienceMs = 10_000;

/** CSS pixels, as stations have it above them. */
const barHeight = 152;

let mine = 0;
let leaveLast = () => {};

/**
 * Outlines the picture of a tensor within a station and scrolls to it, to the station while there is no such picture. A visitor who
 * moves on meanwhile is left alone, and so is one who `stays`: the numbers are others, the picture is where it was.
 */
export async function pointAt(tensor: string, station: StationName, stays = false): Promise<void> {
  const turn = ++mine;
  unpoint();
  const until = performance.now() + patienceMs;
  let leads = !stays;
  const stopWaiting = whenMoved(() => (leads = false));
  let section: HTMLElement | null = null;
  let shown: HTMLElement | null | undefined;
  do {
    await new Promise(requestAnimationFrame);
    if (turn !== mine) return stopWaiting();
    section = document.getElementById(`station-${station}`);
    const picture = section?.querySelector<HTMLElement>(
      `:is([data-tensor="${CSS.escape(tensor)}"], [data-part="${CSS.escape(tensor)}"])`,
    );
    shown = picture?.closest<HTMLElement>('.matrix') ?? picture;
  } while (!shown && performance.now() < until);
  stopWaiting();
  shown?.setAttribute('data-pointed', '');
  const aim = shown ?? section;
  if (aim) standBeside(aim);
  if (!aim || !section || !leads) return;
  // The bar covers the beginning of the window, the lesson's own words its end, as far as there is room beside them.
  const own = document.querySelector<HTMLElement>('.lesson')?.offsetHeight ?? 0;
  const room = Math.max(0, innerHeight - barHeight - aim.offsetHeight);
  // The page keeps some room for the shelf already.
  const shelf = Number.parseFloat(getComputedStyle(document.documentElement).scrollPaddingBottom) || 0;
  aim.style.scrollMargin = `${barHeight}px 0 ${Math.min(own, room) - shelf}px`;
  leaveLast = keepInView(aim, section, 'center');
}

/** Shows where the picture of a tensor is within a station, until the visitor moves on. */
export async function showPicture(tensor: string, station: StationName): Promise<void> {
  unfold(station);
  const turn = mine + 1;
  await pointAt(tensor, station);
  if (turn === mine) whenMoved(() => turn === mine && stopPointing());
}

/** CSS pixels from the window's edge that a lesson's words take where they do not take all of its width. */
const lessonWidth = 32 * 16;

/** The lesson's words stand on that side of the window where they cover less of what they point at. */
function standBeside(aim: HTMLElement): void {
  const { left, right } = aim.getBoundingClientRect();
  const coveredLeft = Math.min(right, lessonWidth) - left;
  const coveredRight = right - Math.max(left, innerWidth - lessonWidth);
  const side = coveredRight < coveredLeft ? 'right' : 'left';
  document.querySelector('.lesson')?.setAttribute('data-side', side);
}

/** Nothing is outlined any more, and a picture that is still waited for is not scrolled to. */
export function stopPointing(): void {
  mine++;
  unpoint();
}

function unpoint(): void {
  leaveLast();
  for (const former of document.querySelectorAll('[data-pointed]')) former.removeAttribute('data-pointed');
}
