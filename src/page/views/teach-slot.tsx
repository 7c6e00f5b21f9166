import { signal } from '@preact/signals';
import { explain } from '../failure.ts';
import { failure, opened, retry } from '../models.ts';
import { embedded } from '../sources.ts';
import { strings } from '../strings.ts';
import { Later } from './later.tsx';

const load = () => import('../teach/teach.tsx').then(({ Teach }) => Teach);

/** Whether it stands open that the model is taught; it stays so while another model is opened. */
export const teachOpen = signal(false);

/** The way to teach the model that is open; what is behind it is fetched when it is first opened. */
export function TeachSlot() {
  const open = teachOpen.value;
  if (!opened.value) return null;
  const onFailure = (error: unknown) => {
    teachOpen.value = false;
    failure.value = explain(error, opened.value?.ref ?? embedded, 'load');
    retry.value = () => {
      teachOpen.value = true;
    };
  };
  return (
    <div class="inside-slot">
      <button type="button" class="plain" aria-expanded={open} onClick={() => (teachOpen.value = !open)}>
        {open ? strings.closeTeach : strings.teach}
      </button>
      {open && <Later load={load} with={{}} onFailure={onFailure} />}
    </div>
  );
}
