import { useState } from 'preact/hooks';
import { explain } from '../failure.ts';
import { failure } from '../models.ts';
import { embedded } from '../sources.ts';
import { strings } from '../strings.ts';
import { Later } from './later.tsx';

const load = () => import('../start-here/view.tsx').then(({ StartHere }) => StartHere);

/** Texts to begin with, fetched when they are unfolded. */
export function StartHereSlot() {
  const [open, setOpen] = useState(false);
  return (
    <details class="start-here-slot" onToggle={({ currentTarget }) => setOpen(currentTarget.open)}>
      <summary>{strings.startHere}</summary>
      {open && (
        <Later load={load} with={{}} onFailure={(error) => (failure.value = explain(error, embedded, 'load'))} />
      )}
    </details>
  );
}
