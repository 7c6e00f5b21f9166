import { useEffect, useRef, useState } from 'preact/hooks';
import type { CachedModel } from '../../index.ts';
import { announce } from '../announce.ts';
import { cachedModels } from '../models.ts';
import { words } from '../rooms/words/models.ts';
import { type ModelRef, nameOf, parseModelRef } from '../sources.ts';
import { bytes } from '../strings.ts';

type Keeping = 'unasked' | 'granted' | 'refused';

/** The models that were downloaded before: shown again without a network, deleted, or kept for good. */
export function CachedModels({ onChoose }: { onChoose: (ref: ModelRef) => void }) {
  const [models, setModels] = useState<CachedModel[]>([]);
  const [deleted, setDeleted] = useState(false);
  const [keeping, setKeeping] = useState<Keeping>('unasked');
  const heading = useRef<HTMLHeadingElement>(null);
  const refresh = () => cachedModels.list().then(setModels, () => setModels([])); // storage that is closed holds none
  useEffect(() => {
    void refresh();
    void navigator.storage?.persisted().then((persisted) => persisted && setKeeping('granted'));
  }, []);
  const remove = async ({ name, bytes: size }: CachedModel) => {
    await cachedModels.delete(name);
    setDeleted(true);
    await refresh();
    announce(words.deleted(name, size));
    heading.current?.focus(); // the button that had the focus is gone
  };
  if (!models.length && !deleted) return null;
  return (
    <section class="cached">
      <h3 ref={heading} tabIndex={-1}>
        {words.cachedTitle}
      </h3>
      <ul>
        {models.map((model) => (
          <Row key={model.name} model={model} onChoose={onChoose} onDelete={() => void remove(model)} />
        ))}
      </ul>
      {!models.length && <p>{words.noneCached}</p>}
      {models.some((model) => model.complete) && <Keep keeping={keeping} onAsked={setKeeping} />}
    </section>
  );
}

interface RowProps {
  model: CachedModel;
  onChoose: (ref: ModelRef) => void;
  onDelete: () => void;
}

function Row({ model: { name, bytes: size, complete }, onChoose, onDelete }: RowProps) {
  const ref = parseModelRef(name); // a revision other than main is no name that the page knows
  const label = ref ? nameOf(ref) : name;
  return (
    <li>
      <span class="name">{label}</span>
      <span class="size">{complete ? bytes(size) : words.unfinished(size)}</span>
      {ref && complete && (
        <button type="button" class="quiet" onClick={() => onChoose(ref)} aria-label={words.useCached(label)}>
          {words.use}
        </button>
      )}
      <button type="button" class="quiet" onClick={onDelete} aria-label={words.deleteCached(label)}>
        {words.delete}
      </button>
    </li>
  );
}

/** Browsers may clear a site's storage when the disk is full, unless the visitor wants it kept. */
function Keep({ keeping, onAsked }: { keeping: Keeping; onAsked: (keeping: Keeping) => void }) {
  const ask = async () => onAsked((await navigator.storage.persist()) ? 'granted' : 'refused');
  return (
    <p role="status">
      {words.keeping[keeping]}{' '}
      {keeping === 'unasked' && (
        <button type="button" class="quiet" onClick={() => void ask()}>
          {words.keep}
        </button>
      )}
    </p>
  );
}
