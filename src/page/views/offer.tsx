import { acceptGhost, ghost } from '../ghost.ts';
import { apple } from '../keys.ts';
import { strings } from '../strings.ts';
import { shownText } from '../writing.ts';
import { offered } from './text-surface.tsx';

/** Says how to take what the model offers; a finger takes it here. */
export function Offer() {
  const open = ghost.value?.after === shownText.value;
  return (
    <p class="offer" data-open={open}>
      {open && (
        <>
          <button type="button" class="quiet" aria-label={strings.takeIt(offered())} onClick={() => acceptGhost('all')}>
            <span class="with-keys">
              <kbd>{strings.tabKey}</kbd> {strings.take}
            </span>
            <span class="with-touch">{strings.takeTouch}</span>
          </button>
          <span class="with-keys">{strings.offerKeys(apple)}</span>
        </>
      )}
    </p>
  );
}
