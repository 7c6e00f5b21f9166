import { VitrineError } from '../../plan/error.ts';
import { messageOf } from '../failure.ts';
import { words } from './words/anatomy.ts';

/** Why something could not be run, or what else `says` names: in the engine's own words, but for a text that is too long. */
export function Failed({ failure, says = words.failed }: { failure: unknown; says?: (why: string) => string }) {
  if (failure === undefined) return null;
  const isTooLong = failure instanceof VitrineError && failure.code === 'context-full';
  return (
    <p role="alert" class="failed">
      {says(isTooLong ? words.tooLong : messageOf(failure))}
    </p>
  );
}
