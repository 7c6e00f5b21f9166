import { useCallback, useRef, useState } from 'preact/hooks';

/** An element's width in CSS pixels, kept up to date; 0 until it is laid out. `of` is the element's ref. */
export function useWidth(): { width: number; of: (element: HTMLElement | null) => void } {
  const [width, setWidth] = useState(0);
  const observer = useRef<ResizeObserver | undefined>(undefined);
  const of = useCallback((element: HTMLElement | null) => {
    observer.current?.disconnect();
    if (!element) return;
    observer.current = new ResizeObserver(() => setWidth(element.clientWidth));
    observer.current.observe(element);
  }, []);
  return { width, of };
}
