import type { Progress } from './checkpoint.ts';

/**
 * A caller's `onProgress` and `signal` as a load uses them. What `onProgress` throws, or its promise rejects with, aborts
 * the signal, and so ends the load; after an abort nothing more is told. `loaded` never falls, even where a load begins anew.
 */
export function heard(
  onProgress: ((progress: Progress) => unknown) | undefined,
  signal: AbortSignal | undefined,
): { onProgress: ((progress: Progress) => void) | undefined; signal: AbortSignal | undefined } {
  if (!onProgress) return { onProgress, signal };
  const thrown = new AbortController();
  const all = signal ? AbortSignal.any([signal, thrown.signal]) : thrown.signal;
  let most = 0;
  let answer: unknown;
  const tell = async (progress: Progress) => {
    // Each promise is heard of before the next word, of several that wait for it too.
    for (let former: unknown; answer instanceof Promise && answer !== former; ) {
      former = answer;
      await answer.catch(() => {});
    }
    if (all.aborted) return;
    most = Math.max(most, progress.loaded);
    try {
      answer = onProgress({ ...progress, loaded: Math.min(most, progress.total) });
      await answer;
    } catch (error) {
      thrown.abort(error);
    }
  };
  return { onProgress: (progress) => void tell(progress), signal: all };
}
