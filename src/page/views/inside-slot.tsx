import { explain } from '../failure.ts';
import { insideOpen, lookInside } from '../inside-open.ts';
import { failure, retry, shown } from '../models.ts';
import { embedded } from '../sources.ts';
import { strings } from '../strings.ts';
import { Later } from './later.tsx';

const load = () => import('../inside/inside.tsx').then(({ Inside }) => Inside);

/** The way into the model; what is behind it is fetched when it is first opened. */
export function InsideSlot() {
  const open = insideOpen.value;
  const onFailure = (error: unknown) => {
    insideOpen.value = false;
    failure.value = explain(error, shown.value?.ref ?? embedded, 'load');
    retry.value = () => {
      insideOpen.value = true;
    };
  };
  return (
    <div class="inside-slot">
      <button
        type="button"
        class="plain"
        aria-expanded={open}
        onClick={() => (open ? (insideOpen.value = false) : lookInside())}
      >
        {open ? strings.closeInside : strings.seeInside}
      </button>
      {open && <Later load={load} with={{}} onFailure={onFailure} />}
    </div>
  );
}
