import type { WorkerModel } from '../../embed/client.ts';
import { useLater } from './later.ts';
import { tokenText } from './reading.ts';

/** Tokens' texts by their ids; those asked for before are there at once. */
export function useTexts(model: WorkerModel, ids: readonly number[]): ReadonlyMap<number, string> {
  const { value } = useLater(
    async () => new Map(await Promise.all(ids.map(async (id) => [id, await tokenText(model, id)] as const))),
    [model, String(ids)],
  );
  return value ?? new Map();
}
