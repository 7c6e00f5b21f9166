/**
 * A model as a hook.
 * @module vitrine/react
 */
import { useCallback, useMemo, useSyncExternalStore } from 'react';
import type { Source } from '../index.ts';
import type { ModelState, SharedOptions } from './shared-model.ts';
import { holdModel, idle, keyOf, loading, retryModel, stateOf } from './shared-model.ts';

export type { ModelState, SharedOptions } from './shared-model.ts';

/** Where the model stands, and `retry`, which loads it again after an error. */
export type UsedModel = ModelState & { retry(): void };

/**
 * Loads a model while the component is mounted: in a worker, or on this thread where there can be none (or with
 * `worker: false`). Components that ask for the same model share it; when the last one unmounts, or the source or a
 * plain option changes, it is aborted or disposed. No source (null, undefined): nothing is loaded. On a server, and
 * until it is mounted, it is `loading`.
 *
 *     const { status, model, progress, error, retry } = useModel('openai-community/gpt2', { dtype: 'q8' });
 */
export function useModel(source: Source | null | undefined, options: SharedOptions = {}): UsedModel {
  const key = source ? keyOf(source, options) : undefined;
  // The key says all that tells one model from another: new objects with the same in them are the same model.
  const subscribe = useCallback(
    (onChange: () => void) => (key && source ? holdModel(key, source, options, onChange) : () => {}),
    [key],
  );
  const now = () => (key ? stateOf(key) : idle);
  const state = useSyncExternalStore(subscribe, now, () => (key ? loading : idle));
  const retry = useCallback(() => key && retryModel(key), [key]);
  return useMemo(() => ({ ...state, retry }) as UsedModel, [state, retry]);
}
