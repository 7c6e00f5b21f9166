import { explain } from '../failure.ts';
import { failure, guest, leaveRoom, loading, opened, retry, roomLink, show, talking } from '../models.ts';
import { linkOf } from '../sources.ts';
import { Later } from './later.tsx';
import { ModelLabel } from './model-label.tsx';
import { Notices } from './notices.tsx';
import { Sampling } from './sampling.tsx';
import { Line, LoadFigures } from './shelf.tsx';
import { TeachSlot } from './teach-slot.tsx';

/** Where a model that does not write on is at home, or one that converses; what is in its room is fetched when it is opened. */
export function RoomSlot() {
  const open = guest.value;
  const { ref, device } = opened.value!;
  const room = () => import('../rooms/room.tsx');
  const conversation = () => import('../chat/chat.tsx');
  const onFailure = (error: unknown) => {
    talking.value = false;
    if (open) leaveRoom();
    failure.value = explain(error, ref, 'load');
    retry.value = () => void show(ref);
  };
  return (
    <main class="room" key={`${linkOf(ref)} ${device} ${roomLink(ref)}`}>
      <div class="stage inside">
        {loading.value && (
          <div class="room-load">
            <Line />
            <LoadFigures />
          </div>
        )}
        <Notices />
        <Later
          load={async () => (open ? (await room()).viewOf(open) : (await conversation()).Chat)}
          with={{}}
          onFailure={onFailure}
        />
        <TeachSlot />
      </div>
      <aside class="rail">
        <ModelLabel />
        {open ? (
          <Later load={async () => (await room()).sourcesOf(open)} with={{}} onFailure={() => {}} />
        ) : (
          <Sampling />
        )}
      </aside>
    </main>
  );
}
