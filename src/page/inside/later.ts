import { useEffect, useState } from 'preact/hooks';
import { adapted } from '../models.ts';

/** A run that was left before its end: a newer one is under way. */
export const isAbort = (failure: unknown) => failure instanceof DOMException && failure.name === 'AbortError';

type When = readonly unknown[];

interface Later<T> {
  value?: T;
  failure?: unknown;
  stale: boolean;
}
/** Where it gives no promise, what the last one gave stays; where there is nothing to ask of (`false`), there is nothing to tell. */
type Make<T> = ((signal: AbortSignal) => Promise<T> | undefined) | false | undefined;

/** What a promise gives of the model as it is, so anew when an adapter is put on or taken off. */
export const useLater = <T>(make: Make<T>, when: When): Later<T> => useOnce(make, [...when, adapted.value]);

/** What a promise gives; until then what the last one gave, marked stale. A promise nobody waits for is told to abort. */
export function useOnce<T>(make: Make<T>, when: When): Later<T> {
  const [state, setState] = useState<Told<T>>({});
  useEffect(() => {
    if (!make) return;
    const left = new AbortController();
    make(left.signal)?.then(
      (value) => left.signal.aborted || setState({ value, when }),
      (failure: unknown) =>
        left.signal.aborted || isAbort(failure) || setState((last) => ({ ...last, failure, failed: when })),
    );
    return () => left.abort();
  }, when as unknown[]);
  return make ? laterOf(state, when) : { stale: false };
}

/** The last value and the last failure, each with what it was asked for. */
interface Told<T> {
  value?: T;
  when?: When;
  failure?: unknown;
  failed?: When;
}

/** A value stays until the next one is there, a failure says nothing of what is asked after it. */
export function laterOf<T>({ value, when: then, failure, failed }: Told<T>, when: When): Later<T> {
  const isNow = (of: When | undefined) => of?.length === when.length && of.every((one, i) => one === when[i]);
  return { value, failure: isNow(failed) ? failure : undefined, stale: !isNow(then) };
}
