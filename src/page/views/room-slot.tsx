import { explain } from '../failure.ts';
import { failure, guest, leaveRoom, loading, retry, roomText, show } from '../models.ts';
import { isSame, linkOf } from '../sources.ts';
import { Later } from './later.tsx';
import { ModelLabel } from './model-label.tsx';
import { Notices } from './notices.tsx';
import { Line, LoadFigures } from './shelf.tsx';

/** Where a model that does not write is at home; what is in its room is fetched when it is opened. */
export function RoomSlot() {
  const open = guest.value!;
  const room = () => import('../rooms/room.tsx');
  const onFailure = (error: unknown) => {
    leaveRoom();
    failure.value = explain(error, open.ref, 'load');
    retry.value = () => void show(open.ref);
  };
  return (
    <main
      class="room"
      key={`${linkOf(open.ref)} ${open.device} ${isSame(roomText.value?.ref, open.ref) && roomText.value?.link}`}
    >
      <div class="stage inside">
        {loading.value && (
          <div class="room-load">
            <Line />
            <LoadFigures />
          </div>
        )}
        <Notices />
        <Later load={async () => (await room()).viewOf(open)} with={{}} onFailure={onFailure} />
      </div>
      <aside class="rail">
        <ModelLabel />
        <Later load={async () => (await room()).sourcesOf(open)} with={{}} onFailure={() => {}} />
      </aside>
    </main>
  );
}
