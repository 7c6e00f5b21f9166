/** Brings a part of the page into view, at once where motion is reduced. */
export function bringIntoView(element: Element, block: ScrollLogicalPosition = 'start'): void {
  const calm = matchMedia('(prefers-reduced-motion: reduce)').matches;
  element.scrollIntoView({ block, behavior: calm ? 'auto' : 'smooth' });
}

/** How long what grows while its numbers are read is kept in view, unless the visitor moves on. */
const growsMs = 3000;

/** Brings something into view, and again while `part` of the page, which it is in, grows; until what is returned is called. */
export function keepInView(element: Element, part: Element, block?: ScrollLogicalPosition): () => void {
  const observer = new ResizeObserver(() => bringIntoView(element, block));
  observer.observe(part);
  const leave = () => {
    observer.disconnect();
    stopWaiting();
  };
  const stopWaiting = whenMoved(leave, element, block);
  setTimeout(leave, growsMs);
  return leave;
}

/** How much farther something may get within a frame while the page itself scrolls to it: what stands above it grows, too. */
const slackPx = 48;

/**
 * Tells once that the visitor goes elsewhere: by wheel, finger, key or press, or, as by the scrollbar, by a scroll that leads away from what
 * the page scrolls `to`.
 * @returns what stops the waiting
 */
export function whenMoved(tell: () => void, to?: Element, block: ScrollLogicalPosition = 'start'): () => void {
  const left = new AbortController();
  const leave = () => {
    left.abort(); // the other listeners, too: most of them would wait for ever
    tell();
  };
  const options = { signal: left.signal, passive: true };
  for (const kind of ['wheel', 'touchmove', 'keydown', 'pointerdown']) addEventListener(kind, leave, options);
  if (!to) return () => left.abort();
  const { scrollMarginTop, scrollMarginBottom } = getComputedStyle(to);
  const [above, below] = [scrollMarginTop, scrollMarginBottom].map(Number.parseFloat) as [number, number];
  const distance = () => {
    const { top, bottom } = to.getBoundingClientRect();
    return Math.abs(block === 'center' ? (top - above + bottom + below - innerHeight) / 2 : top - above);
  };
  let least = distance();
  const look = () => {
    const now = distance();
    if (now > least + slackPx) leave();
    else least = Math.min(least, now);
  };
  addEventListener('scroll', look, options);
  return () => left.abort();
}
