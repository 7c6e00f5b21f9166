import '../inside/inside.css';
import './room.css';
import './look.css';
import './lessons/lessons.css';
import type { ComponentType } from 'preact';
import type { Guest } from '../models.ts';
import { nameOf } from '../sources.ts';
import { cards, words } from './words/models.ts';

/** What is shown of a model: by what it does, whatever its family. */
export async function viewOf({ kind, model, ref }: Guest): Promise<ComponentType<object>> {
  switch (kind) {
    case 'vision': {
      const { VisionRoom } = await import('./vision.tsx');
      return () => <VisionRoom model={model} />;
    }
    case 'encoder-decoder': {
      const { PairsRoom } = await import('./pairs.tsx');
      return () => <PairsRoom model={model} name={ref.kind === 'embedded' ? ref.name : undefined} />;
    }
    case 'encoder': {
      const { head } = model.config;
      if (head === 'masked-words') {
        const { BlanksRoom } = await import('./blanks.tsx');
        return () => <BlanksRoom model={model} />;
      }
      if (head === undefined) {
        const { SentencesRoom } = await import('./sentences.tsx');
        return () => <SentencesRoom model={model} />;
      }
      const { LabelsRoom } = await import('./labels.tsx');
      return () => <LabelsRoom model={model} />;
    }
    default:
      return kind satisfies never;
  }
}

/** Whose work a model of this page stands on. */
export function sourcesOf({ ref }: Guest): ComponentType<object> {
  if (ref.kind !== 'embedded') return () => null;
  return () => (
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
