import { useLayoutEffect } from 'preact/hooks';
import { isComposing } from './keys.ts';
import { openAddress } from './link.ts';
import { guest, talking } from './models.ts';
import { Dialogs } from './views/dialogs.tsx';
import { DropTarget } from './views/drop-target.tsx';
import { Header } from './views/header.tsx';
import { InsideSlot } from './views/inside-slot.tsx';
import { Later } from './views/later.tsx';
import { ModelLabel } from './views/model-label.tsx';
import { Notices } from './views/notices.tsx';
import { Offer } from './views/offer.tsx';
import { ReadingAids } from './views/reading-aids.tsx';
import { RoomSlot } from './views/room-slot.tsx';
import { Sampling } from './views/sampling.tsx';
import { Shelf } from './views/shelf.tsx';
import { StartHereSlot } from './views/start-here-slot.tsx';
import { TeachSlot } from './views/teach-slot.tsx';
import { TextSurface } from './views/text-surface.tsx';
import { complete, page, phase, stop } from './writing.ts';

/** The page: the text on its shelf, and beside it the model's card and the dials; or the room of a model that does not write. */
export function App() {
  useShortcuts();
  return (
    <>
      <Header />
      {guest.value || talking.value ? <RoomSlot /> : <Writing />}
      <Dialogs />
      <DropTarget />
    </>
  );
}

function Writing() {
  return (
    <>
      <main class="case">
        <div class="text">
          <TextSurface />
          <Offer />
          {page.value.branches.length > 1 && (
            <Later load={async () => (await import('./views/branches.tsx')).Branches} with={{}} />
          )}
          <Notices />
          <StartHereSlot />
        </div>
        <Shelf />
        <aside class="rail">
          <ModelLabel />
          <Sampling />
          <ReadingAids />
        </aside>
      </main>
      <InsideSlot />
      <TeachSlot />
    </>
  );
}

/** Ctrl or Cmd + Enter completes, Escape stops, wherever the focus is; a dialog has its own Escape. */
function useShortcuts(): void {
  useLayoutEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (isComposing(event) || guest.value || talking.value || document.querySelector('dialog[open]')) return;
      if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        openAddress();
        void complete();
      } else if (event.key === 'Escape' && phase.value !== 'idle') stop();
    };
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  }, []);
}
