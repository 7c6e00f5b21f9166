/**
 * Keeps the focus where one is. What has it may be gone, or switched off, by what it did: Dismiss, Undo, the last of a row. Browsers leave
 * the focus with nothing then, and who goes by keys begins at the top of the page again. Here it goes to what is nearest, and comes back
 * where it was switched off for a while only.
 */
export function keepFocus(): void {
  /** What has the focus, then all that it stands in, each with its place among its neighbours. */
  let way: { element: Element; place: number }[] = [];
  let lent: { from: HTMLElement; to: HTMLElement } | undefined;
  document.addEventListener('focusin', ({ target }) => {
    way = wayOf(target as Element);
  });
  document.addEventListener('focusout', ({ target, relatedTarget }) => {
    // What goes away loses the focus, too: who clicked beside it leaves it in its place.
    if (!relatedTarget) queueMicrotask(() => document.activeElement === document.body && isThere(target) && (way = []));
  });
  for (const kind of ['keydown', 'pointerdown']) addEventListener(kind, () => (lent = undefined), true);

  const look = () => {
    if (lent && isThere(lent.from) && document.activeElement === lent.to) {
      lent.from.focus({ preventScroll: true });
      lent = undefined;
    }
    const last = way[0]?.element;
    const now = document.activeElement;
    if (!last || isThere(last) || (now && now !== document.body && now !== last)) return;
    const next = nearest(way);
    next?.focus({ preventScroll: true });
    if (next && last.isConnected) lent = { from: last as HTMLElement, to: next };
  };
  const observer = new MutationObserver(look);
  observer.observe(document.body, { subtree: true, childList: true, attributeFilter: ['disabled'] });
}

const isThere = (element: unknown) =>
  element instanceof HTMLElement && element.isConnected && !element.matches(':disabled');

function wayOf(from: Element): { element: Element; place: number }[] {
  const way = [];
  for (let element: Element | null = from; element; element = element.parentElement) {
    way.push({ element, place: element.parentElement ? [...element.parentElement.children].indexOf(element) : 0 });
  }
  return way;
}

const focusable = 'a[href], button, input, select, textarea, summary, [tabindex="0"]';

/** What can have the focus in the innermost part that is left: what follows, else what is before. */
function nearest(way: readonly { element: Element; place: number }[]): HTMLElement | undefined {
  const hasKeys = matchMedia('(pointer: fine)').matches;
  for (const [i, { element: part }] of way.entries()) {
    if (i === 0 || !part.isConnected) continue;
    const all = [...part.querySelectorAll<HTMLElement>(focusable)].filter(
      (one) =>
        isThere(one) &&
        one.tabIndex >= 0 &&
        one.getClientRects().length > 0 &&
        (hasKeys || !one.matches('textarea, input[type="text"]')), // there it would bring up the keyboard
    );
    const place = part.children[way[i - 1]!.place];
    const follows = (one: HTMLElement) =>
      place && (place.contains(one) || place.compareDocumentPosition(one) & Node.DOCUMENT_POSITION_FOLLOWING);
    const found = all.find(follows) ?? all.at(-1);
    if (found) return found;
  }
  return undefined;
}
