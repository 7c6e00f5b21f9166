import { signal } from '@preact/signals';
import { opened } from '../models.ts';
import { strings } from '../strings.ts';
import { Slot } from './slot.tsx';

const load = () => import('../teach/teach.tsx').then(({ Teach }) => Teach);

/** Whether it stands open that the model is taught; it stays so while another model is opened. */
const teachOpen = signal(false);

/** The way to teach the model that is open. */
export function TeachSlot() {
  if (!opened.value) return null;
  const label = teachOpen.value ? strings.closeTeach : strings.teach;
  return <Slot open={teachOpen} onOpen={() => (teachOpen.value = true)} label={label} load={load} />;
}
