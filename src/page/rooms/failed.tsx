import { messageOf } from '../failure.ts';
import { words } from './words/anatomy.ts';

/** Why something could not be run, or what else `says` names, in the engine's own words. */
export function Failed({ failure, says = words.failed }: { failure: unknown; says?: (why: string) => string }) {
  if (failure === undefined) return null;
  return (
    <p role="alert" class="failed">
      {says(messageOf(failure))}
    </p>
  );
}
