import { words } from './words/anatomy.ts';

/** Why something could not be run, in the engine's own words. */
export function Failed({ failure }: { failure: unknown }) {
  if (failure === undefined) return null;
  return (
    <p role="alert" class="failed">
      {words.failed(failure instanceof Error ? failure.message : String(failure))}
    </p>
  );
}
