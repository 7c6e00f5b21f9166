import '../inside/inside.css';
import './room.css';
import './look.css';
import './lessons/lessons.css';
import type { ComponentType } from 'preact';
import { useEffect } from 'preact/hooks';
import { explain } from '../failure.ts';
import { failure, type Guest, guest, leaveRoom, loading, retry, show } from '../models.ts';
import { roomText } from '../room-text.ts';
import { linkOf, nameOf } from '../sources.ts';
import { Later } from '../views/later.tsx';
import { ModelLabel } from '../views/model-label.tsx';
import { Notices } from '../views/notices.tsx';
import { Line, LoadFigures } from '../views/shelf.tsx';
import { cards, words } from './words/models.ts';

/** The room of the open model: what it does, and what goes on in it, for what the visitor puts in. */
export function Room() {
  const open = guest.value;
  if (!open) return null;
  return (
    <main class="room" data-kind={open.kind}>
      <div class="stage inside">
        {loading.value && (
          <div class="room-load">
            <Line />
            <LoadFigures />
          </div>
        )}
        <Notices />
        <View key={`${linkOf(open.ref)} ${open.model.device.kind}`} open={open} />
      </div>
      <aside class="rail">
        <ModelLabel />
        <Sources open={open} />
      </aside>
    </main>
  );
}

function View({ open }: { open: Guest }) {
  useEffect(() => () => void (roomText.value = undefined), []);
  const onFailure = (error: unknown) => {
    leaveRoom();
    failure.value = explain(error, open.ref, 'load');
    retry.value = () => void show(open.ref);
  };
  return <Later load={() => viewOf(open)} with={{}} onFailure={onFailure} />;
}

/** What is shown of a model: by what it does, whatever its family. */
async function viewOf(open: Guest): Promise<ComponentType<object>> {
  const { ref } = open;
  switch (open.kind) {
    case 'vision': {
      const { VisionRoom } = await import('./vision.tsx');
      return () => <VisionRoom model={open.model} />;
    }
    case 'encoder-decoder': {
      const { PairsRoom } = await import('./pairs.tsx');
      return () => <PairsRoom model={open.model} name={ref.kind === 'embedded' ? ref.name : undefined} />;
    }
    case 'encoder': {
      if (open.model.config.head === 'masked-words') {
        const { BlanksRoom } = await import('./blanks.tsx');
        return () => <BlanksRoom model={open.model} />;
      }
      if (open.model.config.head === undefined) {
        const { SentencesRoom } = await import('./sentences.tsx');
        return () => <SentencesRoom model={open.model} />;
      }
      const { LabelsRoom } = await import('./labels.tsx');
      return () => <LabelsRoom model={open.model} />;
    }
    default:
      return open satisfies never;
  }
}

/** Whose work a model of this page stands on. */
function Sources({ open: { ref } }: { open: Guest }) {
  if (ref.kind !== 'embedded') return null;
  return (
    <p class="sources">
      {cards[ref.name].sources}{' '}
      <a
        href={`models/${ref.name}/MODEL_CARD.md`}
        target="_blank"
        rel="noreferrer"
        aria-label={words.cardOf(nameOf(ref))}
      >
        {words.card}
      </a>
    </p>
  );
}
