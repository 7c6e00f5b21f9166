import { useEffect, useState } from 'preact/hooks';

/** A run that was left before its end: a newer one is under way. */
export const isAbort = (failure: unknown) => failure instanceof DOMException && failure.name === 'AbortError';

/** What a promise gives; until then what the last one gave, marked stale. A promise nobody waits for is told to abort. */
export function useLater<T>(
  make: (signal: AbortSignal) => Promise<T> | undefined,
  when: readonly unknown[],
): { value?: T; failure?: unknown; stale: boolean } {
  const [state, setState] = useState<{ value?: T; failure?: unknown; when: readonly unknown[] }>({ when: [] });
  useEffect(() => {
    const left = new AbortController();
    make(left.signal)?.then(
      (value) => left.signal.aborted || setState({ value, when }),
      (failure: unknown) => left.signal.aborted || isAbort(failure) || setState((last) => ({ ...last, failure })),
    );
    return () => left.abort();
  }, when as unknown[]);
  const stale = state.when.length !== when.length || state.when.some((one, i) => one !== when[i]);
  return { value: state.value, failure: state.failure, stale };
}
