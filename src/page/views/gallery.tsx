import type { EmbeddedName } from '../embedded.ts';
import { opened } from '../models.ts';
import { cards, millions, words } from '../rooms/words/models.ts';
import { isSame, type ModelRef, nameOf } from '../sources.ts';
import { bytes } from '../strings.ts';

/** The models that come with the page: what each does, and how large it is, before any of it is fetched. */
export function Gallery({ onChoose }: { onChoose: (ref: ModelRef) => void }) {
  return (
    <section class="gallery">
      <h3>{words.galleryTitle}</h3>
      <p>{words.galleryAbout}</p>
      <ul>
        {(Object.keys(cards) as EmbeddedName[]).map((name) => (
          <Card key={name} model={{ kind: 'embedded', name }} onChoose={onChoose} />
        ))}
      </ul>
    </section>
  );
}

interface CardProps {
  model: ModelRef & { kind: 'embedded' };
  onChoose: (ref: ModelRef) => void;
}

function Card({ model, onChoose }: CardProps) {
  const { does, shows, family, parameters, bytes: size, sources } = cards[model.name];
  const name = nameOf(model);
  const isOpen = isSame(model, opened.value?.ref);
  return (
    <li data-model={model.name}>
      <h4>{name}</h4>
      <p class="does">{does}</p>
      <p class="shows">{shows}</p>
      <p class="size">
        {family}, {millions(parameters)}
      </p>
      <p class="sources">
        {sources}{' '}
        <a href={`models/${model.name}/MODEL_CARD.md`} target="_blank" rel="noreferrer" aria-label={words.cardOf(name)}>
          {words.card}
        </a>
      </p>
      <button
        type="button"
        class="plain"
        disabled={isOpen}
        aria-label={isOpen ? undefined : `${words.open(name)}, ${bytes(size)}`}
        onClick={() => onChoose(model)}
      >
        {isOpen ? words.openNow : words.openBytes(bytes(size))}
      </button>
    </li>
  );
}
