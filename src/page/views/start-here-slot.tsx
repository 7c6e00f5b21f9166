import { useState } from 'preact/hooks';
import { strings } from '../strings.ts';
import { Later } from './later.tsx';

const load = () => import('../start-here/view.tsx').then(({ StartHere }) => StartHere);

/** Texts to begin with, fetched when they are unfolded. */
export function StartHereSlot() {
  const [open, setOpen] = useState(false);
  return (
    <details class="start-here-slot" onToggle={({ currentTarget }) => setOpen(currentTarget.open)}>
      <summary>{strings.startHere}</summary>
      {open && <Later load={load} with={{}} />}
    </details>
  );
}
