import { textOf } from '../../embed/manuscript.ts';
import { acceptGhost, ghost } from '../ghost.ts';
import { strings } from '../strings.ts';
import { manuscript } from '../writing.ts';
import { offered } from './text-surface.tsx';

/** Says how to take what the model offers; a finger takes it here. */
export function Offer() {
  const open = ghost.value?.after === textOf(manuscript.value);
  return (
    <p class="offer" data-open={open}>
      {open && (
        <>
          <button type="button" class="quiet" aria-label={strings.takeIt(offered())} onClick={() => acceptGhost('all')}>
            <kbd>{strings.tabKey}</kbd> {strings.take}
          </button>
          <span>{strings.offerKeys}</span>
        </>
      )}
    </p>
  );
}
