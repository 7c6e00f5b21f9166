import { explain } from '../failure.ts';
import { failure, guest, leaveRoom, retry, show } from '../models.ts';
import { Later } from './later.tsx';

const load = () => import('../rooms/room.tsx').then(({ Room }) => Room);

/** Where a model that does not write is at home; its code is fetched when the first is opened. */
export function RoomSlot() {
  const onFailure = (error: unknown) => {
    const { ref } = guest.value!;
    leaveRoom();
    failure.value = explain(error, ref, 'load');
    retry.value = () => void show(ref);
  };
  return <Later load={load} with={{}} onFailure={onFailure} />;
}
