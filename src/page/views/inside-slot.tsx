import { insideOpen, lookInside } from '../inside-open.ts';
import { strings } from '../strings.ts';
import { Slot } from './slot.tsx';

const load = () => import('../inside/inside.tsx').then(({ Inside }) => Inside);

/** The way into the model. */
export function InsideSlot() {
  const label = insideOpen.value ? strings.closeInside : strings.seeInside;
  return <Slot open={insideOpen} onOpen={lookInside} label={label} load={load} />;
}
